"""What the page of the tab Dataset shows at the moment, as it comes with each event."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from ....hypernetworks.base.errors import SettingsError
from ....hypernetworks.base.options import Option, take
from ....hypernetworks.data.survey.survey import Survey
from ....hypernetworks.pages import dataset_pictures as pictures
from ....hypernetworks.pages.dataset_pictures import ALL, ANY_PROBLEM, ANY_TAG, PER_PAGE

#: No picture is edited.
NOTHING = -1
PAGE = Option("Page", "", minimum=1)
ON_PAGE = Option("Pictures on a page", "", minimum=1, maximum=200)


class View(NamedTuple):
    """The values of the components that decide what is shown, in the order of `Handlers.view`.

    Attributes:
        survey: of the last look.
        show, tag, problem, words: which pictures are shown.
        page: counts from 1.
        per_page: pictures on a page.
        number: of the picture whose caption is edited, or `NOTHING`.
        text: of its caption as it stands in the field.
        held: of its caption as it was put there.
    """

    survey: Survey | None
    show: str = ALL
    tag: str = ANY_TAG
    problem: str = ANY_PROBLEM
    words: str = ""
    page: int = 1
    per_page: int = PER_PAGE
    number: int = NOTHING
    text: str = ""
    held: str = ""

    @classmethod
    def of(cls, given: tuple[Any, ...]) -> View:
        """Return what the components hold; numbers that are empty or wrong have their first values."""
        seen = cls(*given)
        return seen._replace(
            show=seen.show or ALL,
            tag=seen.tag or ANY_TAG,
            problem=seen.problem or ANY_PROBLEM,
            words=seen.words or "",
            page=_usable(seen.page, PAGE, 1),
            per_page=_usable(seen.per_page, ON_PAGE, PER_PAGE),
            number=NOTHING if seen.number is None else int(seen.number),
            text=seen.text or "",
            held=seen.held or "",
        )

    def looked_again(self, found: Survey) -> View:
        """Return what is shown after a look: of the folder that was seen before, the pictures that were chosen."""
        first = View(found, per_page=self.per_page)
        if self.survey is None or self.survey.request.data.folder != found.request.data.folder:
            return first
        return first._replace(show=self.show, tag=self.tag, problem=self.problem, words=self.words)

    @property
    def is_edited(self) -> bool:
        """Whether a picture is shown with its caption."""
        return self.survey is not None and 0 <= self.number < len(self.survey.samples)

    @property
    def is_unsaved(self) -> bool:
        """Whether the caption has been changed and not been written."""
        return self.is_edited and self.text != self.held

    def chosen(self) -> list[int]:
        """Return the numbers of the pictures that are shown, on all pages."""
        assert self.survey is not None
        return pictures.chosen(self.survey, self.show, self.words, self.tag, self.problem)

    def usable(self) -> list[int]:
        """Return those of the pictures that have a caption to edit."""
        assert self.survey is not None
        return [number for number in self.chosen() if number < len(self.survey.samples)]

    def beside(self, by: int) -> int | None:
        """Return the number of the picture before (-1) or after (1) the one that is edited; None at the end.

        It need not be among those that are shown: an edit may have taken it from them.
        """
        numbers = self.usable()
        place = bisect_right(numbers, self.number) if by > 0 else bisect_left(numbers, self.number) - 1
        return numbers[place] if 0 <= place < len(numbers) else None

    def page_of(self, number: int) -> int:
        """Return the page on which a picture is; the present one where it is on none."""
        numbers = self.chosen()
        return numbers.index(number) // self.per_page + 1 if number in numbers else self.page


def wrong_numbers(given: tuple[Any, ...], is_page_used: bool) -> Iterator[str]:
    """Yield a sentence for each number that was entered and cannot be used.

    Args:
        given: what the components of a view hold.
    """
    seen = View(*given)
    for option, value in ([(PAGE, seen.page)] if is_page_used else []) + [(ON_PAGE, seen.per_page)]:
        try:
            _number(value, option, 1)
        except SettingsError as error:
            yield str(error)


def _number(value: Any, option: Option, otherwise: int) -> int:
    """Return a whole number, or `otherwise` where the field is empty; raises SettingsError beyond its limits."""
    return otherwise if value is None else int(take(option.label, value, int, option))


def _usable(value: Any, option: Option, otherwise: int) -> int:
    try:
        return _number(value, option, otherwise)
    except SettingsError:
        return otherwise
