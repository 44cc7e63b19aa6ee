"""The public learning-rate schedules: the WebUI's text, and cosine restarts."""

from .cosine_restarts import CosineRestarts
from .schedule import Schedule
from .step_schedule import StepSchedule, parse, rates

__all__ = ["CosineRestarts", "Schedule", "StepSchedule", "parse", "rates"]
