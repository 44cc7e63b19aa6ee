"""Tuning: a study tries one job with other settings in each of its trials, and tells which did best."""

from .plan import StudyPlan, plan_study
from .settings import TuneSettings, take_table
from .study import StudyResult, run_study
from .trials import StudyError, Trial

__all__ = [
    "StudyError",
    "StudyPlan",
    "StudyResult",
    "Trial",
    "TuneSettings",
    "plan_study",
    "run_study",
    "take_table",
]
