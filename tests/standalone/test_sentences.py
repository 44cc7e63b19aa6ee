"""Sentences made at run time, in Japanese and Chinese: translated as wholes, reasons in them too, or not at all."""

from __future__ import annotations

import re

import pytest
from hypernetwork_workbench.hypernetworks.train.tracking.monitor import clock

from tests.standalone.test_languages import LANGUAGES, table
from tests.support import page_texts, translator
from tests.support.untranslated_texts import NOT_TRANSLATED

pytestmark = pytest.mark.skipif(not translator.IS_HERE, reason="needs Node to run the page's script")

#: Names, which stay as they are, and what stands in quotes: a person's own words, or a choice by its English name.
NAMES = re.compile(
    r"“[^”]*”|「[^」]*」|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|Stable Diffusion|Clip Studio Paint|Git LFS"
    r"|git lfs pull|git annex get|Download raw file|Train Gamma|Create Beta Hypernetwork"
    r"|FP8 weight|Settings > Optimizations"
)
ENGLISH = re.compile(r"[a-z]{2,} [a-z]{2,}|\b(?:the|is|not|cannot|must|same|pixels)\b", re.IGNORECASE)
#: As the page shows them; one at least of every place that makes sentences.
SENTENCES = (
    "Left out: a.png: the picture cannot be read (it is a text, not a picture).",
    "the picture cannot be read",
    "is the same file as night.png",
    "is the same file as night.png in D:/pictures",
    "looks like 夜.png",
    "Page 2 of 3; 6 of 8 pictures.",
    "6 of 8",
    "104 x 40 pixels; 62% of it is cut off",
    "20 x 20 pixels are enlarged 3.2 times, to 64 x 64",
    "128 x 40 pixels, one side 3.2 times the other; 69% of it is cut off",
    "20 x 81 pixels are too small for keep every size of 32 x 32; allow upscaling to train on it",
    "no caption: its caption file night.txt is empty",
    "12 can be used, 1 left out, 2 passed over by skip_image_resolution",
    "A run would not start: skip_image_resolution and a folder name with 0 repeats pass over all pictures.",
    "skip_image_resolution passes over all pictures",
    "To be corrected: Layer structure, Batch size.",
    "Layer structure: must start and end with 1, not [1.0, 2.0]",
    "Batch size: must be a whole number, not '2.5'; left as it was",
    "Optimizer options: AdamW has no option colour; it has betas, eps",
    "Network B: there is no network ../a (there is a)",
    "n.pt exists already; choose another name, or tick “Overwrite”",
    "New name: n.pt exists already; choose another name, or tick “Replace an existing file”",
    "Left out: a.txt: the caption cannot be read (it is not UTF-8 but Japanese text in Shift-JIS: “夜”; save it as"
    " UTF-8, “Convert to UTF-8” in the tab Dataset does that for all of them).",
    "Composition: line 1, column 2: the text is broken here ('[' was never closed)",
    "Composition: it cannot be one file, as 'a' has LayerNorm, and only affine networks can be multiplied out",
    "Weights of single blocks: '32.q' is no block; a block is k, v, a width such as 768, or both such as 768.k",
    "Method: 'd' has the layer structure [1, 1.5, 1] and 'a' [1, 2, 1], so their weights do not match",
    "The result does the same as the weighted sum of the networks' outputs.",
    "The result differs from the weighted sum of the networks' outputs, by 37.00% on average.",
    "Picture 2 of 4: A: night v2, strength -0.5",
    "Interrupted after 2 of 4 pictures; only whole ones are shown.",
    "Made 4 pictures with seed 5; nothing was written.",
    "<lora:night:1> changes nothing here: each picture shows one thing alone.",
    "The result differs from A's output plus m times the difference of B's and C's.",
    "This file is broken: 768_v lacks linear.0.bias, which its layer_structure and flags ask for.",
    "This file is broken: the weight 768_k.linear.0.weight is not finite.",
    "job.toml: cannot be read: No such file or directory",
    "job.toml: is no TOML: line 3: seed has no value; give it one, or leave the line out",
    "config.json: holds the settings of the WebUI itself, and no training",
    "D:/a b is relative to the place of the file, which a page is not told; enter the whole path",
    "night.pt: it is a web page of GitHub, not a hypernetwork; press Download raw file there, or write raw for blob in"
    " its address",
    "Trained 2 steps in 1 s (5 in all); loss 1.0819 at first, 0.9550 at last. Saved as ink.pt; log and pictures are in"
    " ink. Changed since the state was saved: train.max_steps is 5, not 3.",
    "Changed since the state was saved: “Steps” is 5, not 3.",
    "The run goes on with its own settings, not with the form's: Rate schedule: constant (the form: steps); Masks: off"
    " (the form: alpha).",
    "Stopped by hand after 2 steps in 0 s; loss 1.0818 at first, 1.0066 at last.",
    "step 3 of 40, loss 0.1, 2 min 3 s left",
    "Waits for the training of night.",
    "Waits for the training of night, 2 min 3 s left.",
    "Waits for a job of Train Gamma.",
    "夜 is being trained (it is about to start); wait for its end, or interrupt it.",
    "another job of training is going on; wait for its end, or interrupt it.",
    "ネオン is being trained; wait for its end, or interrupt it.",
    "iPhone is being trained (paused after step 3 of 40); let it go on, or interrupt it.",
    "Undone: captions by deepbooru (1 caption file).",
    "since the state was saved this has changed: captions edited: a.png; the result will be another than without a"
    " break; set output.resume_changed to continue all the same",
    "night.pt was made anew after the run to continue, which would replace it; start a new run, or set"
    " output.resume_changed to replace it",
    "the earlier run in D:/out cannot be kept as night-earlier (Permission denied); close what has its files open or"
    " make room, or choose another name",
    "The earlier run of this name is called night-earlier now.",
    "The file night.pt is gone or another by now; the run goes on with the network of its state.",
    "night.pt.state: the saved state holds no whole network; start anew",
    "there is no saved state of night to continue from; the run before it is called night-earlier now",
    "Start training begins a new run with night, which has learnt for 600 steps already.",
    "a.png: cannot be written to D:/out: No space left on device; nothing was changed",
    "training is not possible with FP8 weights here; set Settings > Optimizations > FP8 weight to Disable",
    "training is not possible on weights quantised as NF4; load the checkpoint in fp16, bf16, fp32 or fp8",
    "'768.k' has a width that none of the networks has; they have 96, 64, 128",
    "must be one of Weighted sum, Exact parallel (sum of the outputs), not 'middle'",
    "1000 steps; learning rate 1e-05.",
    "1000 steps (20 epochs); learning rate 1e-05.",
    "Best is trial 2, validation loss 0.01234, style distance 0.5: Learning rate = 0.001, Optimizer = AdamW.",
    "Best is trial 12, validation loss 0.01234: Layer structure = 1, 2, 1, Activation = linear.",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left_in_a_sentence_made_at_run_time(language):
    shown = dict(zip(SENTENCES, translator.translate(table(language), SENTENCES), strict=True))
    left = {text: words for text, words in shown.items() if words == text or ENGLISH.search(NAMES.sub("", words))}
    assert not left


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("a text", SENTENCES[0]),
        ("{} of it is cut off", SENTENCES[7]),
        ("one after the other", "The result does the same as one thing that is after the other."),
        ("No space left on device", "a.png: cannot be written to D:/out: it is full, and No space left on device"),
        ("this is a new reason", "To be corrected: this is a new reason."),
        ("this is a new reason", "6 of these are a new reason of 8"),
        ("this is a new reason", "Left out: a.png: this is a new reason that nobody translated."),
        ("this is a new reason", "name the folder that must hold the pictures"),
    ],
)
def test_a_sentence_with_a_part_that_has_no_translation_stays_english_as_a_whole(language, lost, sentence):
    fewer = {text: words for text, words in table(language).items() if text != lost}
    assert translator.translate(fewer, [sentence]) == [sentence]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "sentence",
    [
        "Changed since the state was saved: “Framing” is constant, not alpha.",
        "The run goes on with its own settings, not with the form's: Masks: constant (the form: alpha).",
        "Without a GPU “Precision” gives the same with constant as with alpha.",
        "must be one of constant, alpha, not 'x'",
        "Rate schedule: constant, alpha",
    ],
)
def test_a_value_that_is_words_is_translated_in_a_sentence_too(language, sentence):
    words = table(language)
    shown = translator.translate(words, [sentence])[0]
    assert words["constant"] in shown
    assert words["alpha"] in shown or "alpha" not in sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_to_a_second_press_of_train_is_translated_with_all_its_parts(language):
    said = "the night is being trained (step 3 of 40, 2 min 3 s left); wait for its end, or interrupt it."
    words = table(language)
    step, left = translator.translate(words, ["step 3 of 40", "2 min 3 s"])
    assert step != "step 3 of 40"
    assert left != "2 min 3 s"
    (shown,) = translator.translate(words, [said])
    assert all(part in shown for part in ("the night", step, left))
    assert not ENGLISH.search(shown.replace("the night", ""))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_of_numbers_stays_together_in_a_reason(language):
    reason = "'768.k' has a width that none of the networks has; they have 96, 64, 128"
    for shown in translator.translate(table(language), [reason, f"Weights of single blocks: {reason}"]):
        assert "96, 64, 128" in shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seconds", [0, 30, 90, 3700])
def test_a_time_is_translated_however_long_it_is(language, seconds):
    time = clock(seconds)
    for sentence in (time, f"step 3 of 40, {time} left", f"Waits for the training of 夜, {time} left."):
        (shown,) = translator.translate(table(language), [sentence])
        assert not re.search("[A-Za-z]", shown), shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "reason",
    [
        "must be at least 64, not 63",
        "must be at most 2048, not 4096",
        "must be at most 10000000 steps, not 1e9 epochs",
        "must be a multiple of 8, not 100",
        "must be a whole number, not 2.5",
        "must be above 0",
    ],
)
def test_a_reason_reads_the_same_at_its_field_and_behind_its_label(language, reason):
    alone, labelled = translator.translate(table(language), [reason, f"Width: {reason}."])
    assert alone != reason
    assert labelled.rstrip("。.").endswith(alone.rstrip("。."))


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_values_are_shown_as_they_are(language):
    names = ("my night style v2.pt", "D:/夜の絵/of the sea", "1e-05", "[1, 2, 1]")
    shown = translator.translate(table(language), [f"Loaded {name}." for name in names])
    assert all(name in words and "Loaded" not in words for name, words in zip(names, shown, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_code_that_a_page_can_show_is_translated(language):
    patterns = [re.compile(re.escape(one).replace(r"\{\}", ".*"), re.DOTALL) for one in table(language)]
    patterns = [one for one in patterns if re.search("[A-Za-z]{2}", one.pattern)]

    def is_there(text: str) -> bool:
        return any(
            one.fullmatch(way) for way in (text, f"({text})", text.rstrip("."), text.strip(" ,;:.")) for one in patterns
        )

    missing = [
        text
        for text in page_texts.sentences_in_code()
        if not is_there(text) and not all(map(is_there, re.split(r"(?<=\.) (?=[A-Z])", text)))
    ]
    new = sorted(set(missing) - NOT_TRANSLATED)
    assert new == [], "add these to both localizations, or to untranslated_texts.py if no page shows them"
    assert sorted(NOT_TRANSLATED - set(missing)) == [], "these are translated, or gone"
