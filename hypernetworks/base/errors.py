"""The errors that callers may see. Each message is one sentence that a user can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType


class WorkbenchError(Exception):
    """Base of every error that this project raises on purpose."""


class SettingsError(WorkbenchError, ValueError):
    """One setting, or several, have a value that they cannot have; the message has one line for each.

    Attributes:
        field: the name of the setting, as `section.key` where the section is known; of several the first one's.
        reason: what is wrong, without the name of the field; of several the first one's.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self._several: tuple[SettingsError, ...] = ()

    @classmethod
    def joined(cls, errors: Iterable[SettingsError]) -> SettingsError:
        """Return one error that holds all of `errors`, of which there is at least one."""
        several = tuple(one for error in errors for one in error.errors)
        if len(several) == 1:
            return several[0]
        joined = cls(several[0].field, several[0].reason)
        joined._several = several
        joined.args = ("\n".join(map(str, several)),)
        return joined

    @property
    def errors(self) -> tuple[SettingsError, ...]:
        """One error for each wrong setting; where only one is wrong, this error itself."""
        return self._several or (self,)

    def within(self, section: str) -> SettingsError:
        """Return the same error with every field as `section.field`; if one of the two is empty, as the other."""
        return self.joined(
            SettingsError(".".join(filter(None, (section, one.field))), one.reason) for one in self.errors
        )

    def reworded(self, words: Callable[[str], str]) -> SettingsError:
        """Return the same error with `words` applied to every reason."""
        return self.joined(SettingsError(one.field, words(one.reason)) for one in self.errors)


class NumberError(WorkbenchError, ValueError):
    """A text is no number; the message lacks the name of the field."""


class NotFiniteError(NumberError):
    """A number is infinite, NaN, or beyond what a float holds."""


class PathTextError(WorkbenchError, ValueError):
    """A text is no path of this system; the message lacks the name of the field."""


def raise_all(errors: Iterable[SettingsError]) -> None:
    """Raise all `errors` as one error; do nothing where there are none."""
    errors = tuple(errors)
    if errors:
        raise SettingsError.joined(errors)


class ErrorCollector:
    """Collects the errors of independent checks, so that a user sees all of them at once.

    Each check is a `with` block of its own, which ends at the first error in it.
    """

    def __init__(self) -> None:
        self._errors: list[WorkbenchError] = []

    def __enter__(self) -> None:
        """Begin a check."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, WorkbenchError):
            self._errors.append(error)
            return True
        return False

    def raise_all(self) -> None:
        """Raise all SettingsErrors as one, or else the first other error; do nothing if all checks passed."""
        raise_all(error for error in self._errors if isinstance(error, SettingsError))
        if self._errors:
            raise self._errors[0]


def raise_with_all_else(error: SettingsError, check: Callable[[], object]) -> None:
    """Raise an error together with those of another check."""
    errors = ErrorCollector()
    with errors:
        raise error
    with errors:
        check()
    errors.raise_all()


class HypernetworkFileError(WorkbenchError):
    """A hypernetwork file cannot be read or written."""


class CompositionError(WorkbenchError, ValueError):
    """The text of a composition of networks is wrong."""


class AdapterError(WorkbenchError):
    """Networks cannot be applied to the model of another program."""


class MergeError(WorkbenchError, ValueError):
    """The networks cannot be merged by this method."""


class ScheduleError(WorkbenchError, ValueError):
    """The text or the numbers of a learning-rate schedule are wrong.

    Attributes:
        field: the number that is wrong; empty for a text.
        reason: what is wrong, without the name of the field.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field} {reason}" if field else reason)
        self.field = field
        self.reason = reason


class DatasetError(WorkbenchError):
    """A dataset has nothing to train on, or something in it cannot be read."""


class TrainingError(WorkbenchError):
    """A training run cannot start or cannot continue."""


class RunEndedError(TrainingError):
    """A run has nothing left to do: all of its steps are done, and all of its results are there."""


class QueueError(WorkbenchError):
    """The queue of jobs, or a job in it, cannot be read or changed."""


class RanksLostError(TrainingError):
    """Another of the processes that take the steps of a run together has ended.

    Attributes:
        kept: a part of a sentence on the state to continue from; empty where there is none to tell of.
    """

    def __init__(self, kept: str = "") -> None:
        super().__init__("another process of the run has ended" + (f"; {kept}" if kept else ""))
        self.kept = kept


class NonFiniteLossError(TrainingError):
    """The loss or the gradients are no longer finite; no good file was overwritten."""


#: What torch's allocators of CPU and MPS say; that of CUDA raises a class of its own with "out of memory" in it.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that a GPU or the machine ran out of memory."""
    text = str(error).lower()
    is_told = isinstance(error, RuntimeError) and any(part in text for part in _OUT_OF_MEMORY)
    return isinstance(error, MemoryError) or _is_of_torch(error) or is_told


def too_little_memory(error: BaseException) -> str:
    """Return the sentence for an error that `is_out_of_memory` recognises."""
    is_of_gpu = any(name in str(error).lower() for name in ("cuda", "hip", "mps", "xpu"))
    if is_of_gpu or _is_of_torch(error):
        return "the GPU has too little memory for this run; lower the batch size or the picture size"
    return "the computer has too little memory for this run; lower the batch size or the picture size"


def _is_of_torch(error: BaseException) -> bool:
    """Tell whether an error is torch's own for a GPU that is full, whose name older versions have elsewhere."""
    return type(error).__name__ == "OutOfMemoryError"


@contextmanager
def lack_of_memory_told() -> Iterator[None]:
    """Turn an error for lack of memory, as of torch, into a TrainingError with a sentence."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(too_little_memory(error)) from error
