"""Patch set: the host loads hypernetworks through our reader.

The host's own reader runs what a file says, or refuses the file and then generates without it and without a word.
Its list has no `.safetensors` and no `.hns`, and of two files of the same name in two folders only one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...hypernetworks.base.errors import CompositionError, HypernetworkFileError
from ...hypernetworks.files import listing
from ...hypernetworks.inference.library import library
from ..model import lookup
from ..model.loaded import Loaded, LoadedComposition, LoadedNetwork, is_side
from ..patching import Patch, PatchSet, switches
from ..rows import entries, infotext, tag_text, tags
from ..rows.entries import NONE

_log = logging.getLogger(__name__)
_HOST = "modules.hypernetworks.hypernetwork"
#: A text without any of these characters is a name, not a composition.
_SIGNS = frozenset("+>:()[]{},＋＞：｛［（")

#: Why a network could not be loaded, by its name, for the message under the picture.
_failures: dict[str, str] = {}


def _make_list(original: Callable[..., Any]) -> Callable[..., Any]:
    def list_hypernetworks(path: str) -> dict[str, str]:
        return listing.complete(original(path), path)

    return list_hypernetworks


def _make_reload(_original: Callable[..., Any]) -> Callable[..., Any]:
    def reload_hypernetworks() -> None:
        from modules import shared  # noqa: PLC0415
        from modules.hypernetworks import hypernetwork  # noqa: PLC0415

        # Another extension puts a list of its own here, in which half of the files are missing.
        shared.hypernetworks = hypernetwork.list_hypernetworks(shared.cmd_opts.hypernetwork_dir)

    return reload_hypernetworks


def _make_load_one(_original: Callable[..., Any]) -> Callable[..., Any]:
    def load_hypernetwork(name: str) -> Loaded | None:
        try:
            loaded = _load_anew(name)
        except (HypernetworkFileError, CompositionError) as error:
            _failures[name] = str(error)
            _log.error("Hypernetwork %s was not loaded: %s", name, error)
            return None
        _failures.pop(name, None)
        return loaded

    return load_hypernetwork


def _load_anew(name: str) -> Loaded:
    """Load what is listed now; with a new list where that fails, as files may have come since it was made."""
    from modules import shared  # noqa: PLC0415

    before = dict(shared.hypernetworks)
    try:
        return _load(name, before)
    except (HypernetworkFileError, CompositionError):
        shared.reload_hypernetworks()
        if shared.hypernetworks == before:
            raise
        return _load(name, shared.hypernetworks)


def _load(name: str, listed: Mapping[str, str]) -> Loaded:
    meant = entries.named_by(name)
    path = listing.find(listed, meant)
    if path is None:
        return _load_typed(name, meant, listed)
    if listing.is_composition(path):
        return LoadedComposition(*library.composition(path, listed), name, Path(path))
    return LoadedNetwork(library.network(path), name, Path(path))


def _load_typed(name: str, text: str, listed: Mapping[str, str]) -> Loaded:
    absent = lookup.absent("there is no hypernetwork of this name", text)
    if not _SIGNS & set(text):
        raise CompositionError(absent)
    try:
        return LoadedComposition(*library.from_text(text, listed), name)
    except CompositionError as error:
        raise CompositionError(f"{absent}, and read as a composition, {error}") from error


def _make_load_several(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_hypernetworks(names: Sequence[str], multipliers: Sequence[float] | None = None) -> Any:
        from modules import shared  # noqa: PLC0415

        # The host would keep what is loaded under the same name, even if its file was replaced meanwhile, and
        # use one strength for a name that occurs twice. The library knows what need not be read again.
        shared.loaded_hypernetworks[:] = []
        result = original(names, multipliers)
        release_unused()
        return result

    return load_hypernetworks


def release_unused() -> None:
    """Remove unused networks from GPU memory, and those beyond the number in the settings from RAM."""
    from modules import shared  # noqa: PLC0415

    loaded = [each for each in shared.loaded_hypernetworks if isinstance(each, Loaded)]
    library.tidy((network for each in loaded for network in each.networks), switches.networks_kept())


def unload() -> None:
    """Take out all that only our path can run: loaded networks, and what they left on attention layers."""
    from modules import shared  # noqa: PLC0415

    from ..model import attention_layers  # noqa: PLC0415 - needs the running host

    shared.loaded_hypernetworks[:] = [each for each in shared.loaded_hypernetworks if not isinstance(each, Loaded)]
    library.clear()
    _failures.clear()
    unet = attention_layers.unet_of(attention_layers.loaded_model())
    for layer in () if unet is None else attention_layers.of(unet).all:
        for name in ("hyper_k", "hyper_v"):  # the host's own path keeps there what it applied last
            if is_side(vars(layer).get(name)):
                delattr(layer, name)


def _make_parse(original: Callable[..., Any]) -> Callable[..., Any]:
    def parse_prompt(prompt: str) -> Any:
        text, broken = tag_text.canonical(prompt)
        rest, found = original(text)
        tags.add_broken(found, broken)
        return rest, found

    return parse_prompt


def _make_activate(original: Callable[..., Any]) -> Callable[..., Any]:
    def activate(self: Any, p: Any, params_list: Sequence[Any]) -> Any:
        from modules import shared  # noqa: PLC0415

        # Whatever fails below, nothing of the picture before stays in use.
        shared.loaded_hypernetworks[:] = []
        usable, problems = tags.read(params_list)
        try:
            return original(self, p, usable)
        finally:
            unread = (*_of_settings(), *tags.in_negative_prompt(p), *tags.in_other_prompts(p))
            for problem in (*problems, *_not_loaded(usable), *_without_effect(), *unread):
                _log.warning("%s", problem)
                if hasattr(p, "comment"):
                    p.comment(problem)
            infotext.note_hashes(p)

    return activate


def _not_loaded(used: Sequence[Any]) -> Iterator[str]:
    from modules import shared  # noqa: PLC0415

    loaded = {network.name for network in shared.loaded_hypernetworks}
    for name in dict.fromkeys(tag.items[0] for tag in used):
        if name not in loaded:
            reason = _failures.get(name, "it was not loaded")
            yield f"Hypernetwork {entries.named_by(name)} was not used: {reason}."


def _without_effect() -> Iterator[str]:
    """Yield a sentence for each loaded network that changes nothing in this checkpoint, or less than there is in it."""
    from modules import shared  # noqa: PLC0415

    from ..model import attention_layers  # noqa: PLC0415 - needs the running host

    here = attention_layers.loaded_widths()
    for each in shared.loaded_hypernetworks:
        if not isinstance(each, Loaded):
            continue
        name = f"Hypernetwork {entries.named_by(each.name)}"
        widths = dict.fromkeys(width for network in each.networks for width in network.widths)
        strange = [width for width in widths if width not in here]
        if not each.multiplier:
            yield f"{name} was not used: its strength is 0."
        elif here and widths and len(strange) == len(widths):
            yield f"{name} was not used: {_unfit(strange, here)}."
        elif here and strange:
            yield f"{name} was used in part: {_unfit(strange, here)}."


def _unfit(strange: Sequence[int], here: Sequence[int]) -> str:
    wrong, right = (", ".join(map(str, widths)) for widths in (strange, here))
    return f"it is made for layers of width {wrong}, and this checkpoint has {right}"


def _of_settings() -> Iterator[str]:
    """Yield a sentence where *Add hypernetwork to prompt* names one that the host does not list, and so passes over."""
    from modules import shared  # noqa: PLC0415

    chosen = getattr(shared.opts, "sd_hypernetwork", None) or NONE
    if chosen != NONE and chosen not in lookup.listed(chosen):
        absent = lookup.absent("there is no hypernetwork of this name", chosen)
        yield f"Hypernetwork {chosen}, which Settings add to every prompt, was not used: {absent}."


patch_set = PatchSet(
    "loading",
    "Safe loading of hypernetworks",
    [
        Patch(f"{_HOST}:list_hypernetworks", _make_list),
        Patch("modules.shared:reload_hypernetworks", _make_reload),
        Patch(f"{_HOST}:load_hypernetwork", _make_load_one),
        Patch(f"{_HOST}:load_hypernetworks", _make_load_several),
        Patch("modules.extra_networks:parse_prompt", _make_parse),
        Patch("modules.extra_networks_hypernet:ExtraNetworkHypernet.activate", _make_activate),
    ],
)
