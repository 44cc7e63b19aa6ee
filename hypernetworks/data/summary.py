"""What a dataset is made of, in a few facts: for the log of a run, Check, and the tab Dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..base.outside import shown_name, shown_path
from .captions import CLASS, FILE, METADATA, NAME
from .dataset import Sample
from .found import PictureScan

_SHOWN = 5
_ORIGINS = {
    FILE: "{} from caption files",
    METADATA: "{} from the metadata file",
    CLASS: "{} class tokens",
    NAME: "{} from names",
}
_INSTEAD = {
    CLASS: "{} trained with class tokens",
    NAME: "{} trained with the words of their file names",
    "": "{} trained with an empty caption because their names have no words",
}


def facts(scan: PictureScan, held_out: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield headings and what there is to say: how many pictures there are, and where their captions come from.

    Args:
        held_out: what else to say of the pictures.
    """
    regular = sum(sample.subset.is_regularisation for sample in scan.samples)
    passed_over = (f"{count:,} passed over by {why}" for why, count in scan.passed_by_reason.items())
    pictures = [_counted(len(scan.left_out), "{} left out"), *passed_over, *held_out]
    pictures.append(_counted(regular, "{} for regularisation"))
    yield "Pictures", ", ".join([f"{len(scan.samples):,} can be used", *filter(None, pictures)])
    yield "Captions", ", ".join(_origins(scan)) or "none"
    if scan.remarks:
        yield "Folders", _shortened(scan.remarks)
    instead = Counter("" if not one.written else one.found.origin.kind for one in scan.samples if not _is_written(one))
    if instead:
        trained = (what.format(f"{instead[kind]:,}") for kind, what in _INSTEAD.items() if instead[kind])
        yield "Without a caption file", f"{_pictures(instead.total())}: {', '.join(trained)}"
    if scan.unused_captions:
        names = [shown_name(path) for path in scan.unused_captions]
        yield "Caption files of no picture, or behind another one", _shortened(names)
    lines = Counter(one.subset.captions.lines for one in scan.samples if one.found.line_count > 1)
    if lines:
        counts = ", ".join(f"{way} ({count:,})" for way, count in lines.most_common())
        yield "Captions of several lines", counts


def sentences(scan: PictureScan) -> list[str]:
    """Return the facts as sentences, with each folder that is passed over."""
    passed_over = (
        (_pictures(one.pictures), "is" if one.pictures == 1 else "are", one.reason, shown_path(one.folder))
        for one in scan.passed_over
    )
    told = ("{} {} passed over by {}: {}.".format(*one) for one in passed_over)
    return [*told, *(f"{heading}: {text}." for heading, text in facts(scan))]


def what_is_missing(sample: Sample) -> str:
    """Return that nobody wrote a caption for a picture, and what it is trained with; empty where there is one."""
    kind, path = sample.found.origin
    if kind in (NAME, CLASS) and sample.written:
        return f"there is no caption file; {kind} are used: “{sample.written}”"
    if kind in (NAME, CLASS):
        return "there is no caption file, and its name has no words; it is trained with an empty caption"
    if sample.written:
        return ""
    return f"its caption file {shown_name(path)} is empty" if kind == FILE else "its caption is empty"


def _origins(scan: PictureScan) -> Iterator[str]:
    for kind, count in Counter(sample.found.origin.kind for sample in scan.samples).most_common():
        yield _ORIGINS[kind].format(f"{count:,}")
        if kind == FILE:
            empty = sum(not sample.written for sample in scan.samples if sample.found.origin.kind == FILE)
            yield from filter(None, [_counted(empty, "{} of them empty")])


def _is_written(sample: Sample) -> bool:
    """Tell whether somebody wrote the caption for the picture."""
    return sample.found.origin.kind in (FILE, METADATA)


def _shortened(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else ""
    return f"{', '.join(texts[:_SHOWN])}{more}"


def _counted(count: int, what: str) -> str:
    return what.format(f"{count:,}") if count else ""


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
