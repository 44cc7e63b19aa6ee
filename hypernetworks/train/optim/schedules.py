"""Learning-rate schedules for those who call them by themselves: the WebUI's text, and cosine restarts."""

from .cosine_restarts import CosineRestarts
from .schedule import Schedule
from .step_schedule import StepSchedule, parse

__all__ = ["CosineRestarts", "Schedule", "StepSchedule", "parse"]
