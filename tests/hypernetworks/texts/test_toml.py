"""TOML as people write it, and what they are told where it is none."""

import pytest
from hypernetwork_workbench.hypernetworks.base.outside import UnfitTextError
from hypernetwork_workbench.hypernetworks.texts.toml import parse_toml


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "[" * 65, "nested too deeply"),
        ("a." * 40 + "b = 1", "more than 32 parts"),
        ('"a" . ' * 40 + "b = 1", "more than 32 parts"),
        ("x = {" + "a." * 40 + "b = 1}", "more than 32 parts"),
        ("a = " + "1_" * 300 + "1", "400 digits"),
        ("a = 0x" + "f" * 500, "400 digits"),
        ("a = " + "［" * 65, "nested too deeply"),
        ("a ＝ " + "９" * 400, "400 digits"),
        ("".join(f"b{n}＝1\n" for n in range(40_001)), "more than 40,000 keys"),
        ("a = ", "line 1: a has no value"),
        ("".join(f"[a{n}]\n" for n in range(40_001)), "more than 40,000 keys"),
        ("".join(f"{'a.' * 15}b{n}=1\n" for n in range(3_000)), "more than 40,000 keys"),
        ("".join(f"b{n}=1\n" for n in range(40_001)), "more than 40,000 keys"),
    ],
)
def test_what_is_without_measure_is_refused_before_the_work(text, reason):
    with pytest.raises(UnfitTextError, match=reason):
        parse_toml(text)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ('[data]\rfolder = "x"\rwidth = 5\r', {"data": {"folder": "x", "width": 5}}),
        ('[data]\r\nfolder = "x"\r\n', {"data": {"folder": "x"}}),
        ("［data］\nwidth ＝ ５１２\u3000", {"data": {"width": 512}}),
        ("rate = －０．５", {"rate": -0.5}),
        ("widths = ［768、 1024］", {"widths": [768, 1024]}),
        ("max＿steps\u00a0=\u20037", {"max_steps": 7}),
        ("\ufeff[a]\u200b\nb\u2060 = 1", {"a": {"b": 1}}),
        ("a = 1\u2028b = 2\u0085c = 3", {"a": 1, "b": 2, "c": 3}),
        ("a = 1 # 全角、「括弧」\nb ＝ 2", {"a": 1, "b": 2}),
    ],
)
def test_full_width_signs_and_any_line_ends_are_read(text, tables):
    assert parse_toml(text) == tables


@pytest.mark.parametrize("text", ["１．５", "　夜　", "＝［］", "a\u200bb", "「x」", "a\u2028b", "５１２、“夜”"])
def test_texts_in_quotes_stay_as_they_are(text):
    assert parse_toml(f'a ＝ "{text}"\nb = \'{text}\'\nc = """{text}"""') == dict.fromkeys("abc", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[data]\nfolder = “x”", 'line 2: the quote “ is of a web page or a word processor; write "'),
        ("folder = ‘x’", "line 1: the quote ‘"),
        ("folder = 「x」", "line 1: the quote 「"),
        ("folder = ＂x＂", "line 1: the quote ＂"),
        ("folder ＝ „x“", "line 1: the quote „"),
        ('folder = "C:\\Users\\me"', "line 1: a backslash in double quotes .*; write / for it, or .* single quotes"),
        ('[data]\n\nfolder = "D:\\pics\\"\nwidth = 5', "line 3: a backslash in double quotes"),
        ('a = "D:\\end\\x"', "line 1: a backslash in double quotes"),
        ("rate = 0,005", "line 1: write a point for the comma in '0,005', as in 0.005"),
        ("steps = 1,000", "line 1: leave out the comma in '1,000', as in 1000"),
        ("layer_structure = 1, 2, 1", "line 1: put 1, 2, 1 in brackets"),
        ("flip = True", "line 1: write true for True"),
        ("flip = no # never", "line 1: write false for no"),
        ("a = 1\nb =\nc = 2", "line 2: b has no value"),
        ("a = null", "line 1: a has no value"),
        ("folder: 'x'", "line 1: write = for the colon after folder"),
        ("folder = D:\\pics", r"line 1: put D:\\pics in single quotes"),
        ("name = night ink", "line 1: put night ink in single quotes"),
        ("a = 1\na = 2", "line 2: a = 2 is there for the second time"),
        ("[a]\nb = 1\n[c]\n[a]\n", r"line 4: \[a\] is there for the second time"),
        ("[a\nb = 1", r"line 1: write \[a\] for a section, or a = and its value"),
        ("a]\nb = 1", r"line 1: write \[a\] for a section"),
        ("（a）", r"line 1: write \[a\] for a section"),
        ("[a]\nnight", r"line 2: write \[night\] for a section, or night = and its value"),
        ("// a\nb = 1", "line 1: a remark begins with #, not with //"),
        ("b = 1\n ; a", "line 2: a remark begins with #, not with ;"),
        ("b = 1\n' a", "line 2: a remark begins with #, not with '"),
        ("b = 1 // a", "line 1: a remark begins with #, not with //"),
        ("b = 'x' ; a", "line 1: a remark begins with #, not with ;"),
        ("b = 1e-4 -- a", "line 1: a remark begins with #, not with --"),
        ("b = //server/share", "line 1: put //server/share in single quotes"),
        ("a = [\n  'x'\n  'y'\n]", "line 3: a list or table in brackets lacks a comma"),
        ("a = 'x',\nb = 1", "line 1: nothing may stand behind a value; take the , away"),
        ("a = [1, 2];", "line 1: nothing may stand behind a value; take the ; away"),
        ("a = 'it's'", "line 1: a text ends at the next quote like its first"),
        ('a = "say "x" now"', "line 1: a text ends at the next quote like its first"),
        ("a = [1, 2", "line 1: a list or table in brackets lacks a comma, or has no end"),
        ("a = [1 2]\nb = 1", "line 1: a list or table in brackets lacks a comma"),
        ("a = 5 \x0b\nb = 1", r"line 1: it has a character that cannot be seen, U\+000B"),
        ("a = 'x' 'y'", "line 1: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, reason):
    with pytest.raises(UnfitTextError, match=reason):
        parse_toml(text)


def test_a_long_line_is_not_looked_at():
    with pytest.raises(UnfitTextError, match="Invalid value"):
        parse_toml("a = x" + " " * 900_000 + "x")
