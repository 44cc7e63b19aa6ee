"""What the settings of previews take from txt2img."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("seed", "taken"),
    [(-1, 4), (-1.0, 4), (None, 4), ("", 4), ("-1", 4), ("night", 4), (0, 0), (9.0, 9.0), ("9", "9")],
)
def test_a_seed_that_the_host_draws_is_not_taken_whatever_its_field_gives(patched, seed, taken):
    from hypernetwork_workbench.patches.runs.job import with_txt2img

    tables = {"preview": {"preview_seed": 4, "prompt_file": "lines.txt", "every": 5}}
    found = with_txt2img(tables, ("p", "n", 7, "Euler", 3.5, seed, 64, 72))
    assert found["preview"] == {
        "prompt": "p",
        "negative_prompt": "n",
        "sampling_steps": 7,
        "sampler": "Euler",
        "cfg_scale": 3.5,
        "preview_seed": taken,
        "width": 64,
        "height": 72,
        "prompt_file": "",
        "every": 5,
    }
