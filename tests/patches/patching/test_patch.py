"""Patches: in place, out again, and out of the way of others."""

import functools
import logging
import sys
import types

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypernetwork_workbench.patches.patching import Patch, PatchSet, UnsupportedHostError


@pytest.fixture
def host(monkeypatch):
    """Return a module with a function, and a class with each kind of method."""
    module = types.ModuleType("fake_host")

    def speak(word):
        return f"host {word}"

    class Animal:
        def name(self):
            return "animal"

        @staticmethod
        def legs():
            return 4

        @classmethod
        def kind(cls):
            return cls.__name__

    module.speak = speak
    module.Animal = Animal
    monkeypatch.setitem(sys.modules, "fake_host", module)
    return module


def loud(original):
    return lambda *args: f"{original(*args)}!"


@pytest.mark.parametrize("target", ["speak", "Animal.name", "Animal.legs", "Animal.kind"])
def test_uninstalling_puts_the_raw_attribute_back(host, target):
    owner = host if "." not in target else host.Animal
    name = target.rpartition(".")[2]
    raw = vars(owner)[name]
    patch = Patch(f"fake_host:{target}", loud)
    patch.install()
    assert vars(owner)[name] is not raw
    assert type(vars(owner)[name]) is type(raw)
    patch.uninstall()
    assert vars(owner)[name] is raw
    assert not patch.is_installed


def test_each_kind_of_method_is_called_right(host):
    for target in ("speak", "Animal.name", "Animal.legs", "Animal.kind"):
        Patch(f"fake_host:{target}", loud).install()
    assert host.speak("a") == "host a!"
    assert host.Animal().name() == "animal!"
    assert host.Animal.legs() == "4!"
    assert host.Animal().kind() == "Animal!"


def test_installing_twice_doubles_nothing(host):
    patch = Patch("fake_host:speak", loud)
    for _ in range(3):
        patch.install()
    assert host.speak("a") == "host a!"


def test_a_route_of_the_host_stays_one_when_its_types_are_text(host):
    """As in Forge, whose modules begin with `from __future__ import annotations`."""
    exec(  # a module of its own, whose names are not known here
        "from __future__ import annotations\n"
        "from pydantic import BaseModel\n"
        "class Request(BaseModel):\n    task: str\n"
        "def progress(request: Request) -> dict[str, str]:\n    return {'task': request.task}\n",
        vars(host),
    )
    Patch("fake_host:progress", lambda original: lambda request: original(request) | {"by": "us"}).install()
    app = FastAPI()
    app.add_api_route("/progress", host.progress, methods=["POST"])
    answer = TestClient(app).post("/progress", json={"task": "one"})
    assert (answer.status_code, answer.json()) == (200, {"task": "one", "by": "us"})


def test_types_that_the_host_itself_cannot_read_hinder_nothing(host):
    exec("def speak(word: 'Unknown') -> str:\n    return f'host {word}'\n", vars(host))
    Patch("fake_host:speak", loud).install()
    assert host.speak("a") == "host a!"


def test_what_took_the_function_by_value_follows_the_switch(host):
    patch = Patch("fake_host:speak", loud)
    patch.install()
    taken = host.speak
    for _ in range(2):
        patch.uninstall()
        assert taken("a") == "host a"
        patch.install()
        assert (taken("a"), host.speak("a")) == ("host a!", "host a!")


def test_a_second_copy_of_the_patch_takes_the_place_of_the_first(host):
    raw = host.speak
    Patch("fake_host:speak", loud).install()
    reloaded = Patch("fake_host:speak", loud)
    reloaded.install()
    assert host.speak("a") == "host a!"
    reloaded.uninstall()
    assert host.speak is raw


@pytest.mark.parametrize("is_honest", [True, False])
def test_below_anothers_patch_ours_passes_through_and_comes_back(host, is_honest):
    patch = Patch("fake_host:speak", loud)
    patch.install()
    ours = host.speak

    def other(word):
        return f"<{ours(word)}>"

    host.speak = functools.wraps(ours)(other) if is_honest else other
    assert host.speak("a") == "<host a!>"
    patch.uninstall()
    assert host.speak("a") == "<host a>"
    patch.install()
    assert host.speak("a").count("!") == 1
    patch.uninstall()
    assert host.speak("a") == "<host a>"


@pytest.mark.parametrize("target", ["fake_host:sing", "fake_host:Animal.fly", "fake_host:Plant.name", "no_host:speak"])
def test_a_missing_target_is_named(host, target):
    with pytest.raises(UnsupportedHostError, match=target.replace(":", r"\.")):
        Patch(target, loud).install()


def test_a_set_is_in_place_whole_or_not_at_all_and_says_so_once(host, caplog):
    raw = host.speak
    patch_set = PatchSet("voice", "The voice", [Patch("fake_host:speak", loud), Patch("fake_host:sing", loud)])
    with caplog.at_level(logging.WARNING):
        assert not patch_set.install()
        assert not patch_set.install()
    assert host.speak is raw
    assert [record.getMessage() for record in caplog.records] == ["The voice is off: this WebUI has no fake_host.sing."]
    host.sing = host.speak
    assert patch_set.install()
    assert patch_set.problem is None
    patch_set.uninstall()
    assert host.speak is raw
    assert host.sing is raw


def test_a_place_that_another_took_is_taken_back_and_given_up_again(host):
    patch = Patch("fake_host:speak", loud)
    patch.install()
    ours = host.speak

    def theirs(word):  # as most extensions do it: without functools.wraps
        return f"{ours(word)}?"

    host.speak = theirs
    patch.install()
    assert host.speak("a") == "host a?!"
    patch.uninstall()
    assert host.speak is theirs
    assert host.speak("a") == "host a?"


def test_other_extensions_below_ours_are_named(host, tmp_path):
    code = compile("def speak(word):\n    return 'theirs'", str(tmp_path / "extensions" / "loud-one" / "a.py"), "exec")
    exec(code, vars(host))
    patch = Patch("fake_host:speak", loud)
    assert patch.rivals == set()
    patch.install()
    assert patch.rivals == {"loud-one"}
