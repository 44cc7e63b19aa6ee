"""What was not used, in the answers of the HTTP API and with grids."""

from __future__ import annotations

import json
import types

from hypernetwork_workbench.patches.sets import remarks


def test_the_answer_of_the_api_has_the_remarks():
    def js(_processed):
        return json.dumps({"seed": 7})

    told = remarks._make_js(js)
    one = types.SimpleNamespace(comments="night was not used.\nday was not used.\n")
    assert json.loads(told(one)) == {"seed": 7, "comments": ["night was not used.", "day was not used."]}
    for silent in (types.SimpleNamespace(comments=""), types.SimpleNamespace()):
        assert told(silent) == js(silent)


def test_a_grid_tells_the_remarks_of_all_its_pictures():
    p = types.SimpleNamespace(comments={"of the first": 1})

    def run(_runner, p, *_args):
        processed = types.SimpleNamespace(comments="of the first\n")
        p.comments["of the second"] = 1
        return processed

    assert remarks._make_run(run)(None, p, 1).comments == "of the first\nof the second\n"
    assert remarks._make_run(lambda *_: None)(None, p) is None
