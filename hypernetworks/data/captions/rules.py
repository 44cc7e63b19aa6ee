"""Applied to a caption each time it is shown: tags shuffled and dropped, a template, a whole caption left out.

Every draw is addressed by seed, epoch and picture, so that a resumed run shows the same texts.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ...base.randomness import derived_seed

#: What several lines of a caption are: one text, tags, a first one that counts, or texts of which one is drawn.
ALL_LINES, TAG_LINES, FIRST_LINE, ONE_LINE = LINES = (
    "all lines",
    "one tag a line",
    "first line",
    "one line at random",
)
#: What East Asian keyboards type for a comma, beside its full-width form.
_COMMAS = "、､﹐"
_CHOICE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


@dataclass(frozen=True)
class CaptionRules:
    """How captions are changed when they are shown.

    Attributes:
        templates: texts with `[filewords]` (the caption) and `[name]`; one is drawn each time.
        name: the network's name, for `[name]`.
        separator: the text between tags.
        shuffle: whether the order of tags is random.
        keep_tags: number of tags at the front that keep their places and are never dropped.
        keep_separator: a text that ends the fixed part; a second one starts a fixed part at the end. It takes the
            place of `keep_tags` in captions that have it.
        tag_dropout: share of tags left out.
        warmup: the optimizer steps, or below 1 the share of the run, during which the number of tags that may be shown
            rises; 0 is off.
        warmup_tags: that number at the first step, without those that are kept.
        dropout: share of captions left out.
        dropout_every: all captions are left out once in this number of epochs; 0 is never.
        prefix, suffix: added to every caption that is shown.
        has_affixes_among_tags: whether prefix and suffix are shuffled and kept like the tags between them.
        secondary_separator: joins tags that stay together, and is shown as the separator.
        lines: what several lines of a caption are, one of `LINES`.
        has_wildcards: whether one of `{this|that}` is drawn each time; `{{` is a plain brace.
    """

    templates: tuple[str, ...] = ("[filewords]",)
    name: str = ""
    separator: str = ","
    shuffle: bool = False
    keep_tags: int = 0
    keep_separator: str = ""
    tag_dropout: float = 0.0
    warmup: float = 0.0
    warmup_tags: int = 1
    dropout: float = 0.0
    dropout_every: int = 0
    prefix: str = ""
    suffix: str = ""
    has_affixes_among_tags: bool = False
    secondary_separator: str = ""
    lines: str = ALL_LINES
    has_wildcards: bool = False

    @property
    def varies(self) -> bool:
        """Whether the text of a picture changes from epoch to epoch; leaving a caption out does not count."""
        is_drawn = self.has_wildcards or self.lines == ONE_LINE
        is_drawn = is_drawn or self.warmup > 0
        return self.shuffle or self.tag_dropout > 0 or len(self.templates) > 1 or is_drawn

    def plain(self, caption: str) -> str:
        """Return the text with nothing drawn: the first template, line and choice, all tags in their order."""
        text = self._with_choices(caption, lambda choices: choices[0])
        if self._marks(text):
            first, tags, last = self._parts(text)
            text = self.joined([*first, *tags, *last])
        return self._finish(text, self.templates[0])

    def every(self, caption: str) -> list[str]:
        """Return each line in each of the templates, with all tags in their order."""
        lines = caption.split("\n") if self.lines == ONE_LINE else [caption]
        return [replace(self, templates=(one,)).plain(line) for one in self.templates for line in lines]

    def shown(self, caption: str, seed: int, epoch: int, picture: int, done: float = math.inf) -> str:
        """Return the text of an epoch, where its caption is not left out.

        Args:
            done: the share of the steps with fewer tags that are over.
        """
        if not self.varies:
            return self.plain(caption)
        draw = random.Random(derived_seed(seed, "caption", epoch, picture))
        template = draw.choice(self.templates)
        first, tags, last = self._parts(self._with_choices(caption, draw.choice))
        if self.warmup and done < 1:
            tags = tags[: math.floor(done * (len(tags) - self.warmup_tags)) + self.warmup_tags]
        if self.shuffle:
            draw.shuffle(tags)
        tags = [tag for tag in tags if draw.random() >= self.tag_dropout]
        return self._finish(self.joined([*first, *tags, *last]), template)

    def is_dropped(self, seed: int, epoch: int, picture: int) -> bool:
        """Tell whether the caption is left out in an epoch, counted from 0."""
        if self.dropout_every and (epoch + 1) % self.dropout_every == 0:
            return True
        return random.Random(derived_seed(seed, "caption dropout", epoch, picture)).random() < self.dropout

    def _with_choices(self, caption: str, choose: Callable[[Sequence[str]], str]) -> str:
        """Return one line, with its choices made and, where they count as tags, prefix and suffix."""
        if self.lines == ONE_LINE:
            caption = choose(caption.split("\n"))
        elif self.lines == TAG_LINES:
            caption = self.joined([tag for line in caption.split("\n") for tag in self.tags(line)])
        if self.has_wildcards:
            caption = _CHOICE.sub(lambda m: choose(m[1].split("|")) if m[1] is not None else m[0][0], caption)
        return self._wrapped(caption) if self.has_affixes_among_tags else caption

    def _parts(self, caption: str) -> tuple[list[str], list[str], list[str]]:
        """Return the tags that stay at the front, the tags that may move, and the tags that stay at the end."""
        if self._marks(caption):
            first, middle, last = (*separators(self.keep_separator).split(caption, maxsplit=2), "")[:3]
            return self.tags(first), self.tags(middle), self.tags(last)
        tags = self.tags(caption)
        return tags[: self.keep_tags], tags[self.keep_tags :], []

    def tags(self, text: str) -> list[str]:
        """Return the tags of a text, without the blanks around them."""
        return [tag for tag in map(str.strip, separators(self.separator).split(text)) if tag]

    def joined(self, tags: list[str]) -> str:
        """Return the tags as one text."""
        return f"{self.separator} ".join(tags) if self.separator.strip() else self.separator.join(tags)

    def _marks(self, caption: str) -> bool:
        """Tell whether a caption has marks of tags to keep."""
        return bool(self.keep_separator and separators(self.keep_separator).search(caption))

    def _wrapped(self, caption: str) -> str:
        text = f"{self.prefix.rstrip()} {caption}".strip()
        suffix = self.suffix.strip()
        return text + suffix if suffix.startswith(self.separator) else f"{text} {suffix}".strip()

    def _finish(self, caption: str, template: str) -> str:
        text = caption if self.has_affixes_among_tags else self._wrapped(caption)
        if self.secondary_separator:
            text = text.replace(self.secondary_separator, self.separator)
        return template.replace("[filewords]", text).replace("[name]", self.name)


@lru_cache
def separators(separator: str) -> re.Pattern[str]:
    """Return the pattern of a separator: each of its signs also in the forms that East Asian keyboards type."""
    return re.compile("".join(map(_forms, separator)))


def _forms(sign: str) -> str:
    wide = chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" and not sign.isalnum() else ""
    return f"[{re.escape(sign)}{wide}{_COMMAS if sign == ',' else ''}]"
