"""The tabs in Japanese and Chinese: no text without its translation."""

from __future__ import annotations

import errno
import json
import os
import re

import pytest

from tests import sources
from tests.support import page_texts, translator

LANGUAGES = ("ja_JP", "zh_CN")
FOLDER = sources.ROOT / "localizations"
#: Choices that are names in every language, beside activations, initialisations and optimizers.
NAMES = {"1-sqrt", ".pt", ".safetensors", "D-Adaptation", "Hyperband", "None", "SDPA", "TPE", "huber", "xformers"}
#: What a translation must take over as it is: fields in brackets, markup, numbers, names of files and options.
KEPT = re.compile(r"\[\w+\]|</?\w[^>]*>|\w+_\w+|#?\d[\d.]*(?:e-?\d+)?|--\w|\.[a-z]\w+\b|\|+")
#: Texts without a letter need no translation.
WORD = re.compile(r"[A-Za-z]{2}")


#: What the system, Python and Pillow say, which stands within sentences of ours.
FOREIGN = {
    *(os.strerror(number) for number in errno.errorcode),
    "invalid start byte",
    "invalid continuation byte",
    "unexpected end of data",
    "broken data stream when reading image file",
    "image file is truncated",
    "image file is truncated ({} bytes not processed)",
    "cannot identify image file {}",
    "{}: line {} column {} (char {})",
    "Expecting property name enclosed in double quotes",
    "Expecting value",
    "Expecting ',' delimiter",
    "Expecting ':' delimiter",
    "Extra data",
    "Invalid statement",
    "Unterminated string starting at",
    "Invalid control character at",
    "Invalid \\escape",
    "{} was never closed",
    "unterminated string literal (detected at line {})",
    "unexpected character after line continuation character",
    "invalid syntax",
    "source code string cannot contain null bytes",
    "closing parenthesis {} does not match opening parenthesis {}",
}


#: What a value of the code says between two texts.
SPOKEN = {"times the other"}


def is_joined(text: str, there: set[str]) -> bool:
    """Tell whether a sentence is joined from texts of the code: all its words stand in them, piece by piece."""
    pieces = [piece.strip(" ,;:.()") for piece in re.split(r"\{\}|[;:] |, ", text)]
    return all(any(piece in one for one in there) for piece in pieces if WORD.search(piece) and piece not in SPOKEN)


def table(language: str) -> dict[str, str]:
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """gradio's config of the whole page."""
    from hypernetwork_workbench.standalone import host as embedded

    running = embedded.start(data_dir=tmp_path_factory.mktemp("data"), load_model=False)
    yield running.module("ui").create_ui().get_config_file()
    running.module("shared").settings_components.clear()
    running.stop()


@pytest.fixture(scope="module")
def wanted(config):
    """Every text that has to be translated, with its place."""
    from hypernetwork_workbench.hypernetworks.network.activations import ACTIVATIONS
    from hypernetwork_workbench.hypernetworks.network.layers import WEIGHT_INITS
    from hypernetwork_workbench.hypernetworks.train.optim.optimizers import KINDS

    names = {*NAMES, *ACTIVATIONS, *WEIGHT_INITS, *KINDS}
    words = {
        text: place
        for text, place in page_texts.choices(config).items()
        if text not in names and not re.fullmatch(r"[a-z]+\d+|.*\.(safetensors|ckpt|pt)", text)
    }
    return {text: place for text, place in (page_texts.in_sight(config) | words).items() if WORD.search(text)}


def test_the_page_has_texts_to_translate(wanted):
    assert {"Learning rate", "Train Gamma", "Merge", "Weighted sum", "Hypernetworks kept in memory"} <= set(wanted)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_tabs_is_translated(language, wanted):
    patterns = [re.compile(re.escape(one).replace(r"\{\}", ".*")) for one in table(language) if WORD.search(one)]
    missing = {text: place for text, place in wanted.items() if not any(one.fullmatch(text) for one in patterns)}
    lines = "\n".join(f'  "{text}": "",   ({place})' for text, place in missing.items())
    assert not missing, (
        f"localizations/{language}.json lacks these texts; add each with its translation, in the words of "
        f"localizations/README.md:\n{lines}"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_of_every_change_to_the_host_is_translated_as_a_whole(language):
    from hypernetwork_workbench.patches import PATCH_SETS
    from hypernetwork_workbench.patches.patching.switches import _OWN_SWITCHES

    labels = {f"Change: {one.title}" for one in PATCH_SETS if one.name not in _OWN_SWITCHES}
    assert labels - set(table(language)) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_choice_has_its_english_name_too_only_where_a_help_speaks_of_its_list(language, config):
    translated = table(language)
    helps = [translated.get(text, "") for text in page_texts.helps(config)]

    def is_spoken_of(choice: str) -> bool:
        name = re.compile(rf"(?<![\w=-]){re.escape(choice)}(?![\w=-])", re.ASCII)
        return any(map(name.search, helps))

    with_name = {text for text, words in translated.items() if words != text and words.endswith(f"({text})")}
    words_of = [[one for one in group if translated.get(one, one) != one] for group in page_texts.lists(config)]
    named = {one for group in words_of if any(map(is_spoken_of, group)) for one in group}
    assert {"cosine", "square"} <= named
    assert with_name == named


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_choices_of_a_list_are_shown_alike(language, config):
    for group in page_texts.lists(config):
        shown = [table(language).get(one, one) for one in group]
        assert len(set(shown)) == len(group), group


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_left_from_a_text_that_is_gone(language, config):
    there = set(page_texts.in_sight(config)) | set(page_texts.choices(config)) | page_texts.in_code()
    # The host puts the remark on a setting into brackets; what has no word joins sentences, such as `{}: {}`.
    whole = [text for text in table(language) if not {text, text.strip("()")} & there and WORD.search(text)]
    stale = [text for text in whole if text not in FOREIGN and not is_joined(text, there)]
    assert not stale, f"no text of ours is one of these any more; take them out of localizations/{language}.json"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_hold_what_must_not_be_translated(language):
    for text, translation in table(language).items():
        assert translation.strip(), f"{text!r} has no translation"
        kept = {part.rstrip(".,:-") for part in KEPT.findall(text)} - {""}
        lost = {part for part in kept if part not in translation}
        assert not lost, f"the translation of {text!r} lacks {lost}"
        fields = set(range(1, text.count("{}") + 1))
        used = {int(number) for number in re.findall(r"\{(\d+)(?::[t?n])?\}", translation)}
        subject = {1} if text.startswith("{} ") else set()  # a sentence may go without it
        assert fields - subject <= used <= fields, f"the fields of {text!r} do not agree"


def test_both_languages_translate_the_same_texts():
    first, second = (list(table(language)) for language in LANGUAGES)
    assert first == second


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_embedded_host_is_translated_too(language, config):
    file = sources.ROOT / "standalone" / "localizations" / f"{language}.json"
    translated = json.loads(file.read_text(encoding="utf-8"))
    everywhere = set(page_texts.in_sight(config, everywhere=True))
    hosts = {text for text in everywhere - set(page_texts.in_sight(config)) if WORD.search(text)}
    names = {"txt2img", "Stable Diffusion", *(text for text in hosts if text.startswith(": "))}
    assert hosts - set(translated) == names
    assert set(translated) <= everywhere


@pytest.mark.skipif(not translator.IS_HERE, reason="needs Node to run the page's script")
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_file_is_that_is_no_network_is_translated(language, tmp_path):
    from hypernetwork_workbench.hypernetworks import filetypes

    from tests.support import other_files

    sentences = {}
    for name, (_, file, content) in {**other_files.CASES, **other_files.CUT}.items():
        path = tmp_path / file
        path.write_bytes(content())
        sentences[name] = filetypes.recognise_path(path)
    shown = translator.translate(table(language), list(sentences.values()))
    missing = [(name, words) for (name, text), words in zip(sentences.items(), shown, strict=True) if text == words]
    assert missing == []
    unknown = "night.pt: it is a thing, not a hypernetwork; open it in ComfyUI"
    assert translator.translate(table(language), [unknown]) == [unknown]


@pytest.mark.skipif(not translator.IS_HERE, reason="needs Node to run the page's script")
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_changes_nothing_without_a_gpu_is_translated_with_the_label_of_its_field(language):
    from hypernetwork_workbench.hypernetworks.jobs.train_entry import LABELS

    addresses = ("train.unload_encoders", "train.optimizer_on_cpu", "train.preview_unloads_optimizer")
    chosen = {"train.attention": "host", "train.precision": "fp32"}
    sentences = [f"Without a GPU “{LABELS[address]}” changes nothing." for address in addresses]
    sentences += [f"Without a GPU “{LABELS[a]}” gives the same with {v} as with auto." for a, v in chosen.items()]
    shown = translator.translate(table(language), sentences)
    for address, words in zip((*addresses, *chosen), shown, strict=True):
        assert table(language)[LABELS[address]] in words
        assert "Without" not in words
