"""What happens when a loss or a gradient is no number: the step is left out, then the last good state comes back."""

from __future__ import annotations

import logging

from ..base.errors import NonFiniteLossError
from .settings.training import TrainSettings
from .state import TrainState

_log = logging.getLogger(__name__)

SNAPSHOT_EVERY = 50
MAX_ROLLBACKS = 3


class RollbackGuard:
    """Counts bad steps in a row, and rolls back.

    Attributes:
        skipped: steps left out so far.
        rollbacks: how often the last good state came back.
    """

    def __init__(self, state: TrainState, settings: TrainSettings) -> None:
        self._state = state
        self._settings = settings
        self._snapshot = state.capture()
        self._good = 0
        self._bad_in_a_row = 0
        self._rollbacks_in_a_row = 0
        self.skipped = 0
        self.rollbacks = 0

    def after_good_step(self) -> None:
        """Remember a state to come back to every so many good steps."""
        self._bad_in_a_row = 0
        self._good += 1
        if self._good % SNAPSHOT_EVERY == 0:
            self._snapshot = self._state.capture()
            self._rollbacks_in_a_row = 0

    def after_bad_step(self, step: int) -> None:
        """Count the step; rolls back when there were too many in a row.

        Raises:
            NonFiniteLossError: roll-backs do not help.
        """
        self.skipped += 1
        self._bad_in_a_row += 1
        _log.warning("Step %d was left out: its loss or gradient is no finite number.", step + 1)
        if self._bad_in_a_row < self._settings.rollback_after:
            return
        if self._rollbacks_in_a_row >= MAX_ROLLBACKS:
            reason = "the loss or its gradient is no finite number, and rolling back did not help"
            raise NonFiniteLossError(f"step {step + 1}: {reason}; lower the learning rate")
        factor = self._state.rate_factor
        self._state.restore(self._snapshot)
        self._state.rate_factor = factor / 2 if self._settings.rollback_halves_rate else factor
        self._bad_in_a_row = 0
        self.rollbacks += 1
        self._rollbacks_in_a_row += 1
        halved = ", with half the learning rate" if self._settings.rollback_halves_rate else ""
        _log.warning("Rolled back to the last good state after step %d%s.", step + 1, halved)
