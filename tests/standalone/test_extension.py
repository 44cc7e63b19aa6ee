"""The host carrying the extension of this repository."""

from __future__ import annotations

import functools
import json
import sys
import types
import warnings

import pytest
from hypernetwork_workbench.standalone import host as embedded


@pytest.fixture
def carrying(checkpoint, tmp_path):
    """Return the host with the extension, its model not loaded."""
    running = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    yield running
    running.stop()


def test_extension_loads_without_a_complaint_also_twice(carrying, checkpoint, tmp_path, caplog):
    running = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
    titles = {data.script_class.__name__ for data in running.module("scripts").scripts_data}
    assert "HypernetworkStrength" in titles


def test_unloading_gives_the_hosts_functions_back(checkpoint, tmp_path):
    bare = embedded.start(checkpoint, tmp_path, extension=False, load_model=False)
    hypernetwork = bare.module("hypernetworks.hypernetwork")
    original = hypernetwork.apply_hypernetworks
    carrying = embedded.start(checkpoint, tmp_path, extension=True, load_model=False)
    try:
        patched = hypernetwork.apply_hypernetworks
        assert patched is not original
        for _ in range(2):
            embedded.reload(carrying)
            assert hypernetwork.apply_hypernetworks is not original
    finally:
        carrying.stop()
    assert hypernetwork.apply_hypernetworks is original


def test_no_general_name_of_ours_is_imported(carrying):
    assert not {"patches", "hypernetworks", "scripts", "host", "ldm_support"} & sys.modules.keys()


def test_the_extensions_options_and_tabs_are_registered(carrying):
    callbacks = carrying.module("script_callbacks").callback_map
    assert len(callbacks["callbacks_ui_train_tabs"]) >= 2
    assert len(callbacks["callbacks_script_unloaded"]) >= 1


def test_the_gate_knows_every_function_of_our_tabs_by_the_element_that_starts_it(carrying):
    from hypernetwork_workbench.patches.api.gate import CallGate, Calls

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        demo = carrying.module("ui").create_ui()
    calls, whose = Calls(demo.config), {True: set(), False: set()}
    for number, block in enumerate(demo.fns):
        function = getattr(block, "fn", None)
        while isinstance(function, functools.partial):
            function = function.func
        is_ours = getattr(function, "__module__", "").startswith("hypernetwork_workbench.patches.")
        if function is not None:
            whose[is_ours].add(number)
            assert calls.has(json.dumps({"fn_index": number})) or not is_ours, function
    assert len(whose[True]) > 50
    submit = next(n for n, one in enumerate(demo.dependencies) if one["js"] == "submit")
    assert submit in whose[False]
    assert not calls.has(json.dumps({"fn_index": submit}))
    registered = carrying.module("script_callbacks").callback_map["callbacks_app_started"]
    app = types.SimpleNamespace(user_middleware=[], middleware_stack="built", add_api_route=lambda *_, **__: None)
    registered[0].callback(demo, app)
    assert [one.cls for one in app.user_middleware] == [CallGate]
    assert app.middleware_stack is None
