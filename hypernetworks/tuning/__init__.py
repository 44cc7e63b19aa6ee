"""Tuning: a study tries one job with other settings in each of its trials, and tells which did best."""

from .kept import Study, open_kept
from .plan import StudyPlan, check_all, plan_study
from .space.settings import TuneSettings, take_table
from .study import StudyResult, run_study
from .trials import StudyError, Trial

__all__ = [
    "Study",
    "StudyError",
    "StudyPlan",
    "StudyResult",
    "Trial",
    "TuneSettings",
    "check_all",
    "open_kept",
    "plan_study",
    "run_study",
    "take_table",
]
