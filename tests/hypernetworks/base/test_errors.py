"""One class of error for one wrong setting and for several."""

import ast

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import ErrorCollector, SettingsError, TrainingError, raise_all

from tests import sources
from tests.support import page_texts

#: Words that begin a reason and have a capital wherever they stand.
NAMES = ("None ", "TensorBoard ")
WIDTH = SettingsError("width", "must be at least 8")
NAME = SettingsError("name", "give the network a name")


def field_errors(error):
    return [(one.field, one.reason) for one in error.errors]


def test_a_single_error_holds_itself():
    assert WIDTH.errors == (WIDTH,)
    assert SettingsError.joined([WIDTH]) is WIDTH
    assert str(WIDTH) == "width: must be at least 8"


def test_several_are_one_error_with_a_line_for_each_however_they_were_gathered():
    pair = SettingsError.joined([WIDTH, NAME])
    seed = SettingsError("seed", "must be a number")
    assert field_errors(SettingsError.joined([pair, seed])) == [
        *field_errors(WIDTH),
        *field_errors(NAME),
        *field_errors(seed),
    ]
    assert str(pair) == "width: must be at least 8\nname: give the network a name"
    assert (pair.field, pair.reason) == (WIDTH.field, WIDTH.reason)


def test_every_field_is_reported_within_its_section():
    error = SettingsError.joined([WIDTH, NAME]).within("data")
    assert [one.field for one in error.errors] == ["data.width", "data.name"]
    assert str(error) == "data.width: must be at least 8\ndata.name: give the network a name"
    assert field_errors(WIDTH.within("data").within("job")) == [("job.data.width", WIDTH.reason)]


def test_what_has_no_section_or_no_field_is_reported_by_the_other():
    assert field_errors(WIDTH.within("")) == field_errors(WIDTH)
    assert field_errors(SettingsError("", "must be a table of settings").within("data")) == [
        ("data", "must be a table of settings")
    ]


def test_every_reason_is_put_into_other_words():
    assert field_errors(SettingsError.joined([WIDTH, NAME]).reworded(str.upper)) == [
        ("width", "MUST BE AT LEAST 8"),
        ("name", "GIVE THE NETWORK A NAME"),
    ]


def test_errors_are_raised_as_one_and_none_not_at_all():
    raise_all([])
    with pytest.raises(SettingsError) as one:
        raise_all([NAME])
    with pytest.raises(SettingsError) as several:
        raise_all(error for error in (WIDTH, NAME))
    assert one.value is NAME
    assert field_errors(several.value) == [*field_errors(WIDTH), *field_errors(NAME)]


def test_checks_go_on_after_an_error_and_all_are_reported_at_the_end():
    errors, passed = ErrorCollector(), []
    for error in (WIDTH, None, TrainingError("no model"), NAME):
        with errors:
            if error is not None:
                raise error
            passed.append(True)
    assert passed
    with pytest.raises(SettingsError) as caught:
        errors.raise_all()
    assert field_errors(caught.value) == [*field_errors(WIDTH), *field_errors(NAME)]


def test_without_a_wrong_setting_the_first_other_error_is_reported():
    errors = ErrorCollector()
    errors.raise_all()
    for text in ("first", "second"):
        with errors:
            raise TrainingError(text)
    with pytest.raises(TrainingError, match=r"^first$"):
        errors.raise_all()


def test_what_is_no_error_of_ours_is_not_held_back():
    with pytest.raises(KeyError), ErrorCollector():
        raise KeyError


def test_no_reason_for_a_field_begins_with_a_capital_or_ends_with_a_full_stop():
    """They are shown as they are, also where a name begins them, so all look alike."""
    reasons = [(path.name, words) for path in sources.paths() for words in _reasons(sources.tree(path))]
    assert len(reasons) > 100
    assert [one for one in reasons if one[1][:1].isupper() and not one[1].startswith(NAMES)] == []
    assert [one for one in reasons if " " in one[1] and one[1].endswith(".")] == []


def _reasons(tree):
    """Yield the text of each reason, with `{}` for what stands in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("SettingsError") and len(node.args) > 1:
            yield from filter(None, map(page_texts._literal, ast.walk(node.args[1])))
