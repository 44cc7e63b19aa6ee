"""Numbers as people type them: full-width signs, percentages, lists, and commas that are meant as points."""

import contextlib
import time

import pytest
from hypernetwork_workbench.hypernetworks import compose
from hypernetwork_workbench.hypernetworks.base import numbers
from hypernetwork_workbench.hypernetworks.base.errors import (
    CompositionError,
    NotFiniteError,
    NumberError,
    SettingsError,
)
from hypernetwork_workbench.hypernetworks.base.intervals import counts_epochs, parse_interval


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("０．００５", 0.005),
        ("０。５", 0.5),
        ("　１ｅ－５　", 1e-5),
        ("\u22120.5", -0.5),
        ("ー０．５", -0.5),
        ("\uff701", -1.0),
        ("\u20132", -2.0),
        ("＋２", 2.0),
        ("〇．75", 0.75),
        ("60%", 0.6),
        ("６０％", 0.6),
        ("7 %", 0.07),
        (" 5 ", 5.0),
        (3, 3.0),
        ("٠٫٥", 0.5),
        ("۱۲", 12.0),
        ("﹣１﹒５", -1.5),
        ("\ufeff0.5", 0.5),
        ("0.5\u200b", 0.5),
        ("\u200e0.\u20605\u200f", 0.5),
    ],
)
def test_what_keyboards_type_is_read(text, value):
    assert numbers.read(text) == value


@pytest.mark.parametrize("value", ["1e-400", "-5e-999", "１ｅ－４００", "0.1e-400%", "٥e-400", numbers.Typed("2e-400")])
def test_what_is_not_0_does_not_become_0(value):
    with pytest.raises(NumberError, match="must be 0, or a number that is not so small, not '"):
        numbers.read(value)


@pytest.mark.parametrize("value", ["0", "0.0", "-0", "0e-400", "0e5", "٠٫٠", "0%", 0, 0.0, numbers.Typed("0.00")])
def test_0_is_read_in_all_its_forms(value):
    assert numbers.read(value) == 0


@pytest.mark.parametrize("text", ["a:1e-400 + b", "{'a': 1e-400, 'b': 1}", "('a', '1e-400')", "['b', ('a', -1e-400)]"])
def test_a_strength_that_is_not_0_does_not_become_0(text):
    with pytest.raises(CompositionError, match="the number must be 0, or a number that is not so small, not '1e-400'"):
        compose.parse(text)


@pytest.mark.parametrize(
    ("text", "told", "fixed"),
    [
        ("0,005", "write a point for", "0.005"),
        ("０，５", "write a point for", "0.5"),
        ("-1,25", "write a point for", "-1.25"),
        ("5,0e-6", "write a point for", "5.0e-6"),
        ("12、5", "write a point for", "12.5"),
        ("1,000", "leave out", "1000"),
        ("12,500,000", "leave out", "12500000"),
        ("2﹐048", "leave out", "2048"),
        ("1\u200b,5", "write a point for", "1.5"),
        ("12,5 %", "write a point for", "12.5 %"),
    ],
)
def test_a_comma_is_told(text, told, fixed):
    for read in (numbers.read, numbers.read_whole):
        with pytest.raises(NumberError) as caught:
            read(text)
        assert str(caught.value) == f"{told} the comma in {text!r}, as in {fixed}"


@pytest.mark.parametrize(
    "text", ["much", "", None, "1.1.", "0.6.5", "%", "1.000,50", "1.000,500", "five", [], "0x10", "1,2,3"]
)
def test_other_texts_are_no_numbers(text):
    with pytest.raises(NumberError, match="must be a number, not"):
        numbers.read(text)


@pytest.mark.parametrize("value", ["nan", "１ｅ４００", "-inf", 10**310, True, float("nan")])
def test_numbers_without_an_end_are_told_apart(value):
    with pytest.raises(NotFiniteError, match=r"must be a (finite number|number that is not so large), not"):
        numbers.read(value)


@pytest.mark.parametrize("value", [2**70, "１" * 30, 1e30, 2**64 + 0.0])
def test_a_whole_number_has_bounds(value):
    with pytest.raises(NumberError, match="not so large"):
        numbers.read_whole(value)


@pytest.mark.parametrize("text", ['\\"' * 100_000, " " * 200_000 + "x", "1" * 200_000 + "x", ": " * 100_000])
def test_long_texts_take_no_time(text):
    start = time.thread_time()
    numbers.plain_outside_quotes(text)
    numbers.comma_reason(text)
    numbers.check_pairs(text)
    with pytest.raises(CompositionError):
        compose.parse(f"A：{text[:190_000]}(")
    with contextlib.suppress(NumberError):
        numbers.split(text)
    assert time.thread_time() - start < 2


@pytest.mark.parametrize(
    ("text", "value"), [("１２", 12), ("ー３", -3), (2**63 - 1, 2**63 - 1), ("20.0", 20), (4.0, 4)]
)
def test_whole_numbers_are_read(text, value):
    assert numbers.read_whole(text) == value


@pytest.mark.parametrize(
    "value", [6986633378966731994.0, "6986633378966731994.0", "９００７１９９２５４７４０９９３．０", 1e16]
)
def test_a_large_number_with_a_point_is_not_read_as_another(value):
    with pytest.raises(NumberError, match="all its digits and without a point"):
        numbers.read_whole(value)
    assert numbers.read_whole(2.0**52) == 2**52


@pytest.mark.parametrize("text", ["1.000", "12.500.000", "2.5", "50%", "300%", 2.7])
def test_what_may_be_a_fraction_or_thousands_is_no_whole_number(text):
    with pytest.raises(NumberError, match=r"must be a (whole )?number, not"):
        numbers.read_whole(text)


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_no_number(value):
    for read in (numbers.read, numbers.read_whole):
        with pytest.raises(NotFiniteError, match="must be a finite number"):
            read(value)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("1,2,1", ["1", "2", "1"]),
        ("(1, 2, 1)", ["1", "2", "1"]),
        ("１、２、１", ["1", "2", "1"]),
        ("１，１．５，１", ["1", "1.5", "1"]),
        ("［０，０．１，０］", ["0", "0.1", "0"]),
        ("1, 2，1", ["1", "2", "1"]),
        ("1;1.5;1", ["1", "1.5", "1"]),
        ("1；2；1", ["1", "2", "1"]),
        ("1 2 1", ["1", "2", "1"]),
        ("１　２　１", ["1", "2", "1"]),
        ("1 ,2 ,1", ["1", "2", "1"]),
        ("768,", ["768"]),
        ("1, 2,\n1,", ["1", "2", "1"]),
        ("\ufeff1,2\u200b,1", ["1", "2", "1"]),
        ("320، 640", ["320", "640"]),
        ("320,640", ["320", "640"]),
        ("512x768", ["512", "768"]),
        ("512 × 768", ["512", "768"]),
        ("５１２＊７６８", ["512", "768"]),
        ("1X2X1", ["1", "2", "1"]),
        ("", []),
    ],
)
def test_lists_are_split(text, pieces):
    assert numbers.split(text) == pieces


@pytest.mark.parametrize("text", ["1,,1", "1, , 1", "１、、１", "1;;1", "1,2,,1,"])
def test_a_number_that_was_forgotten_in_a_list_is_told(text):
    with pytest.raises(NumberError, match="two commas with no number between them"):
        numbers.split(text)


@pytest.mark.parametrize("text", ["0, 0,1, 0", "1;1,5;1", "1 1,5 1", "1；１,５；1", "1,5, 2"])
def test_commas_within_a_list_that_may_be_points_are_told(text):
    with pytest.raises(NumberError, match=r"write a point for the comma in .*, as in"):
        numbers.split(text)


@pytest.mark.parametrize(("text", "whole"), [("1,024", "1024"), ("768, 12,048", "12048"), ("[2,048,1]", "2048")])
def test_thousands_within_a_list_are_told(text, whole):
    with pytest.raises(NumberError, match=rf"leave out the comma in .*, as in {whole}"):
        numbers.split(text)


def test_quoted_text_stays_as_it_is():
    assert numbers.plain_outside_quotes("｛'夜、１'：０．５，\"ー\"：１｝") == "{'夜、１':0.5,\"ー\":1}"


@pytest.mark.parametrize("text", ["decay=0,01", "betas=(0,9, 0,99)", "a=1, decay=-0,5e-2", '"A": 0,8, "B": 0,2'])
def test_commas_in_pairs_are_told(text):
    with pytest.raises(NumberError, match="write a point"):
        numbers.check_pairs(text)


@pytest.mark.parametrize(
    "text", ["decay=0.01, eps=1", "betas=(0.9,0.99)", "tokens=1,2girls", "a=1,b=2", 'prefix="a=1,5"', ""]
)
def test_other_pairs_are_no_mistake(text):
    numbers.check_pairs(text)


@pytest.mark.parametrize(
    ("text", "steps"), [("１００", 100), ("１０　epochs", 70), ("１．５ｅｐｏｃｈｓ", 10), ("2.5 epochs", 18)]
)
def test_lengths_are_read(text, steps):
    assert parse_interval("save_every", text, 7) == steps
    assert counts_epochs(text) == (steps != 100)


@pytest.mark.parametrize("text", ["0,5 epochs", "２，５　epochs", "1,5"])
def test_a_comma_in_a_length_is_told(text):
    with pytest.raises(SettingsError, match="save_every: write a point for the comma in"):
        parse_interval("save_every", text, 7)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (2**32, "4294967296"),
        (2**63 - 1, "9223372036854775807"),
        (-1, "-1"),
        (1.0000001, "1.0000001"),
        (0.1, "0.1"),
        (64.0, "64"),
        (1e99, "1e+99"),
        (1e-05, "1e-05"),
        (10**100, "1e+100"),
    ],
)
def test_a_number_is_told_with_the_digits_that_tell_it_from_others(number, told):
    assert numbers.in_full(number) == told
