"""Settings of embeddings: words whose vectors are trained, alone or with a hypernetwork."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import ScheduleError, SettingsError
from ...base.names import check_name
from ...base.options import Group, Settings, setting
from ...base.registry import rule
from ..optim.schedules import StepSchedule, parse
from ..optim.step_schedule import rates

EMBEDDING = Group("embedding", "Embedding (textual inversion)")
HYPERNETWORK, ALONE, BOTH = "hypernetwork", "embedding", "both"
_MOST_VECTORS = 75


@dataclass(frozen=True)
class EmbeddingSettings(Settings):
    """What is trained, and the words of embeddings."""

    trains: str = setting(
        HYPERNETWORK,
        "What is trained",
        "embedding trains vectors that stand for a word of the captions, and no network; both trains one beside them.",
        group=EMBEDDING,
        choices=(HYPERNETWORK, ALONE, BOTH),
    )
    names: str = setting(
        "",
        "Names of embeddings",
        "The words, which [name] in templates and captions stands for; several with commas between. Empty: the name of "
        "the run.",
        group=EMBEDDING,
    )
    vectors: tuple[int, ...] = setting(
        (1,),
        "Vectors per token",
        "How many vectors a word has: one number for all words, or one for each.",
        group=EMBEDDING,
        starts_row=True,
        minimum=1,
        maximum=_MOST_VECTORS,
    )
    rate: str = setting(
        "",
        "Embedding learning rate",
        "A number, or rates with the step each ends at, such as 0.005:200, 0.001. Empty: the learning rate of the run.",
        group=EMBEDDING,
    )
    initial_text: str = setting(
        "*",
        "Initial text",
        "What the words mean at first: a line for all, or one for each. Empty: vectors of zeros.",
        group=EMBEDDING,
        starts_row=True,
        lines=2,
    )

    @property
    def trains_words(self) -> bool:
        """Whether vectors are trained."""
        return self.trains != HYPERNETWORK

    @property
    def trains_network(self) -> bool:
        """Whether a hypernetwork is trained."""
        return self.trains != ALONE

    @property
    def listed(self) -> tuple[str, ...]:
        """The names that are written."""
        return tuple(name for part in self.names.split(",") if (name := part.strip()))

    @property
    def rates(self) -> tuple[str, ...]:
        """The settings, as `section.key`, with the learning rates of what is trained."""
        own = ("embedding.rate",) if self.trains_words and self.rate else ()
        return own if own and not self.trains_network else ("schedule.rate", *own)

    @rule("names")
    def _names_words(self) -> None:
        for name in self.listed:
            check_name(name, "names")
        if len({name.lower() for name in self.listed}) != len(self.listed):
            raise SettingsError("names", "the same name occurs twice")

    @rule("names", "trains")
    def _is_another_name(self) -> None:
        if self.trains == BOTH and not self.listed:
            raise SettingsError("names", "write the word of the embedding; the name of the run is the network's")

    @rule("names", "vectors", "initial_text")
    def _is_for_each(self) -> None:
        count = max(1, len(self.listed))
        for name, given in (("vectors", len(self.vectors)), ("initial_text", len(self.initial_text.splitlines()))):
            if given > 1 and given != count:
                raise SettingsError(name, f"has {given} entries for {count} names; give one for all, or one for each")
        if not self.vectors:
            raise SettingsError("vectors", "give a number of vectors")

    @rule("rate")
    def _has_rate(self) -> None:
        try:
            _ = rates(self.rate) if self.rate else []
        except ScheduleError as error:
            raise SettingsError("rate", error.reason) from error

    def schedule(self, steps: int, steps_per_epoch: int) -> StepSchedule | None:
        """Return the rates of the vectors; None where they are those of the run.

        Raises:
            SettingsError: the text is no schedule.
        """
        if not self.rate:
            return None
        try:
            return parse(self.rate, steps, steps_per_epoch)
        except ScheduleError as error:
            raise SettingsError("rate", error.reason) from error

    def for_each(self, names: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return number of vectors and initial text of each name."""
        texts = tuple(line.strip() for line in self.initial_text.splitlines()) or ("",)
        return self._each(self.vectors, names), self._each(texts, names)

    @staticmethod
    def _each(values: tuple, names: tuple[str, ...]) -> tuple:
        return values if len(values) > 1 else values * len(names)
