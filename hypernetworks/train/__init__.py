"""Training: settings -> dataset -> batches -> loss -> optimizer -> files.

Every setting is in the room `settings`; losses, optimizers and schedules are in `optim`.
"""

from .optim import schedules
from .plan import TrainingPlan, make_plan
from .rate_finder import FoundRate, find_rate, plan_trials
from .run import train
from .tracking.result import TrainResult

__all__ = ["FoundRate", "TrainResult", "TrainingPlan", "find_rate", "make_plan", "plan_trials", "schedules", "train"]
