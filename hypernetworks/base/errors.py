"""The errors a caller may see. Each message is one sentence a user can act on."""


class WorkbenchError(Exception):
    """Base of every error that this project raises on purpose."""


class SettingsError(WorkbenchError, ValueError):
    """A setting has a value it cannot have.

    Attributes:
        field: the name of the setting, as `section.key` where the section is known.
        reason: what is wrong, without the name of the field.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SeveralSettingsError(SettingsError):
    """Several settings are wrong at once; the message has one line for each."""

    def __init__(self, errors: list[SettingsError]) -> None:
        super().__init__(errors[0].field, errors[0].reason)
        self.errors = tuple(errors)
        self.args = ("\n".join(str(error) for error in errors),)


class HypernetworkFileError(WorkbenchError):
    """A hypernetwork file cannot be read or written."""


class CompositionError(WorkbenchError, ValueError):
    """The text of a composition of networks is wrong."""


class MergeError(WorkbenchError, ValueError):
    """Networks cannot be merged in the way that was asked for."""


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
    """A training run cannot start or cannot go on."""


class NonFiniteLossError(TrainingError):
    """The loss or the gradients are no longer finite numbers; nothing was saved over a good file."""
