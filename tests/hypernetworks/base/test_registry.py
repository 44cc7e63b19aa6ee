"""Registries: order, twins, and rooms that are read before the first look; the rules of settings."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

import pytest
from hypernetwork_workbench.hypernetworks.base import registry
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.options import Option, Settings, check_limits, setting
from hypernetwork_workbench.hypernetworks.base.registry import Registry, gather, rule, with_options
from hypernetwork_workbench.hypernetworks.data.survey import captioning, conversion, copies, survey, tags  # noqa: F401
from hypernetwork_workbench.hypernetworks.files import convert, edit  # noqa: F401
from hypernetwork_workbench.hypernetworks.merge import baking, pictures, saving, settings  # noqa: F401
from hypernetwork_workbench.hypernetworks.train.settings import job  # noqa: F401


def test_members_stand_in_their_order_and_those_of_one_order_as_they_came():
    registry = Registry({"z": 26, "y": 25})
    for name, order in (("c", 2), ("a", 1), ("d", 2), ("b", 0), ("e", 1.5)):
        registry.add(name, ord(name), order)
    assert list(registry) == ["z", "y", "b", "a", "e", "c", "d"]
    assert (registry["e"], registry.get("x"), len(registry)) == (ord("e"), None, 7)


def test_two_members_of_one_name_are_an_error():
    registry: Registry[int] = Registry()
    registry.add("a", 1)
    with pytest.raises(ValueError, match="two members are called a"):
        registry.add("a", 2)
    assert registry["a"] == 1


def test_every_file_of_a_room_is_read_before_the_first_look(tmp_path, monkeypatch):
    room = tmp_path / "hnw_room"
    room.mkdir()
    (room / "__init__.py").write_text(
        "from hypernetwork_workbench.hypernetworks.base.registry import Registry\nREGISTRY = Registry(room=__name__)\n"
    )
    for name, order in (("first", 2), ("second", 1)):
        (room / f"{name}.py").write_text(f"from . import REGISTRY\nREGISTRY.add({name!r}, {order}, {order})\n")
    monkeypatch.syspath_prepend(tmp_path)
    import hnw_room

    assert "hnw_room.first" not in sys.modules
    assert dict(hnw_room.REGISTRY) == {"second": 1, "first": 2}
    for name in [name for name in sys.modules if name.startswith("hnw_room")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_file_that_cannot_be_read_is_no_empty_room(tmp_path, monkeypatch):
    room = tmp_path / "hnw_broken"
    room.mkdir()
    (room / "__init__.py").write_text("")
    (room / "first.py").write_text("raise RuntimeError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[int] = Registry(room="hnw_broken")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            len(registry)
    monkeypatch.delitem(sys.modules, "hnw_broken")


def test_choices_that_are_a_registry_have_the_members_to_come():
    registry: Registry[int] = Registry()
    registry.add("one", 1)

    @dataclass(frozen=True)
    class Kind(Settings):
        name: str = setting("one", "Name", "A name.", choices=registry)

    with pytest.raises(ValueError, match="must be one of one, not 'two'"):
        Kind("two")
    registry.add("two", 2)
    assert Kind("two").name == "two"


def test_what_must_be_above_a_limit_is_not_at_it():
    option = Option("Share", "A share.", above=0)
    check_limits("share", 1e-9, option)
    for value in (0, -1.5, (1.0, 0.0)):
        with pytest.raises(ValueError, match="share: must be above 0"):
            check_limits("share", value, option)


def test_options_of_members_stand_in_the_settings_behind_the_field_that_is_named():
    share = setting(0.5, "Share", "A share.", maximum=1)
    count = setting(3, "Count", "A count.", minimum=1)

    @dataclass(frozen=True)
    @with_options(gather([{"share": share}, {}, {"count": count, "share": share}]), after="kind")
    class Kind(Settings):
        kind: str = setting("a", "Kind", "A kind.")
        last: bool = setting(False, "Last", "The last.")

    assert [(name, type_) for name, type_, _ in Kind.options()] == [
        ("kind", str),
        ("share", float),
        ("count", int),
        ("last", bool),
    ]
    assert Kind.from_mapping({"count": "4"}).to_mapping() == {"kind": "a", "share": 0.5, "count": 4, "last": False}
    with pytest.raises(ValueError, match="share: must be at most 1, not 2"):
        Kind.from_mapping({"share": 2})


def test_two_options_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="two options are called share"):
        gather([{"share": setting(0.5, "Share", "A share.")}, {"share": setting(0.5, "Share", "A share.")}])


@dataclass(frozen=True)
class Sized(Settings):
    low: int = setting(1, "Lowest", "", minimum=0)
    high: int = setting(9, "Highest", "")
    step: int = setting(2, "Step", "")

    @rule("low", "high")
    def _is_range(self):
        if self.low > self.high:
            raise SettingsError("low", "is above the highest")

    @rule("low", "high", "step", each=True)
    def _is_not_seven(self, name):
        if getattr(self, name) == 7:
            raise SettingsError(name, "must not be 7")


@dataclass(frozen=True)
class Named(Sized):
    name: str = setting("a", "Name", "")

    @rule("name")
    def _has_name(self):
        if not self.name:
            raise SettingsError("name", "is empty")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"low": 10, "name": ""}, "name low"),
        ({"low": "x", "high": -5}, "low"),
        ({"low": -1, "high": 7, "step": 7, "name": ""}, "low name high step"),
        ({"step": "x", "low": 10}, "step low"),
    ],
)
def test_all_rules_are_asked_but_those_that_read_what_is_wrong_by_itself(given, wrong):
    assert Named() == Named(low=1)
    with pytest.raises(SettingsError) as caught:
        Named(**given)
    assert [one.field for one in caught.value.errors] == wrong.split()


def kinds():
    found = [Settings]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("hypernetwork_workbench")]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__qualname__)
def test_a_rule_reads_the_fields_that_it_names_and_no_others(kind):
    """A rule that read another one would fail, or tell what is not true, while that is wrong by itself."""
    names = {name for name, _, _ in kind.options()}
    read = set()

    class Watched(kind):
        def __getattribute__(self, name):
            read.update({name} & names)
            return super().__getattribute__(name)

    watched = object.__new__(Watched)
    if "framing" in names:
        object.__setattr__(watched, "framing", "buckets")
    for check in registry._rules(kind):
        for reads, arguments in check.calls:
            read.clear()
            with contextlib.suppress(SettingsError):
                check(watched, *arguments)
            assert read <= set(reads) <= names, check.__name__
