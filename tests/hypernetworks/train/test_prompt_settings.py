"""The limits of what a line of a prompt file sets, and what its names may be."""

import pytest
from hypernetwork_workbench.hypernetworks.train.tracking.prompt_settings import (
    KOHYA_FLAGS,
    PromptError,
    is_known,
    plain_name,
    take,
    takes_number,
)


@pytest.mark.parametrize(
    ("names", "field", "smallest", "largest", "next_below", "next_above"),
    [
        (("w", "width"), "width_px", 8, 4096, 0, 4104),
        (("h", "height"), "height_px", 8, 4096, 0, 4104),
        (("d", "seed"), "seed", 0, 2**32 - 1, -1, 2**32),
        (("l", "scale", "cfg_scale"), "cfg_scale", 1, 100, 0.99, 100.01),
        (("s", "sample_steps", "steps"), "steps", 1, 1000, 0, 1001),
    ],
)
def test_numbers_are_taken_up_to_their_limits(names, field, smallest, largest, next_below, next_above):
    for name in names:
        assert takes_number(name)
        for value in (smallest, largest):
            assert take([(name, str(value))], "--") == ({field: value}, [])
            assert take([(name, value)], "") == ({field: value}, [])
        with pytest.raises(PromptError, match=f"^--{name} must be at least {smallest}$"):
            take([(name, str(next_below))], "--")
        with pytest.raises(PromptError, match=f"^--{name} must be at most {largest}$"):
            take([(name, str(next_above))], "--")


@pytest.mark.parametrize("name", ["w", "h"])
def test_sides_go_in_steps_of_eight(name):
    for value in (12, 4092):
        with pytest.raises(PromptError, match=f"^--{name} must be a multiple of 8$"):
            take([(name, value)], "--")


@pytest.mark.parametrize("name", ["prompt", "n", "negative_prompt", "ss", "sample_sampler", "sampler_name"])
def test_texts_are_no_numbers(name):
    assert is_known(name)
    assert not takes_number(name)
    assert next(iter(take([(name, " a b ")], "--")[0].values())) == "a b"
    with pytest.raises(PromptError, match=f"^{name} must be a text, not 3"):
        take([(name, 3)], "")


def test_a_value_that_is_left_out_sets_nothing_and_a_sign_at_its_end_does_not_matter():
    assert take([("w", None), ("s", "12，"), ("l", "5.5 ;")], "--") == ({"steps": 12, "cfg_scale": 5.5}, [])


def test_names_in_any_case_and_full_width_letters_are_the_same():
    assert plain_name("ＷＩＤＴＨ") == "width"
    assert all(map(is_known, KOHYA_FLAGS))
    assert not is_known("sampler")


def test_a_text_has_twenty_thousand_characters_at_most():
    assert take([("n", "a" * 20_000)], "--")[0] == {"negative_prompt": "a" * 20_000}
    with pytest.raises(PromptError, match="a text is longer than 20,000 characters"):
        take([("n", "a" * 20_001)], "--")


@pytest.mark.parametrize(
    ("kohya", "ours"), [("euler_a", "Euler a"), ("K_Euler_A", "Euler a"), ("pndm", "PLMS"), ("DPM++ SDE", "DPM++ SDE")]
)
def test_kohyas_names_of_samplers_become_the_webuis(kohya, ours):
    assert take([("ss", kohya)], "--")[0] == {"sampler": ours}
