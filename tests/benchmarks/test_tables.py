"""The benchmarks of choices and memory, and the one beside the WebUI's own trainer where none is installed."""

from __future__ import annotations

import json

import pytest
import torch
import yaml

from benchmarks import choices, memory, models, shapes, webui
from benchmarks.training_cases import Case
from standalone import launcher
from tests import sources
from tests.support import tiny_checkpoint, tiny_xl


def test_the_estimates_are_those_of_sd1():
    """Without numbers, so in a second; U-Net and network have SD1's known sizes."""
    rows = {case["estimate of"]: case for case in memory.measure(1)["cases"]}
    lean, plain, bf16 = (rows[name] for name in list(rows)[1:4])
    assert rows["the U-Net of SD1, fp16"]["none"] == round(859_520_964 * 2 / 2**20)
    assert rows["the network, float32"]["none"] == 84
    whole, stored = (rows[f"the U-Net of SDXL, {form}"]["none"] for form in ("fp16", "fp8 during a run"))
    assert 0.5 < stored / whole < 0.51
    for kind in ("none", "attention", "all"):
        assert lean[kind] < plain[kind]
        assert lean[kind] < bf16[kind]
    assert lean["all"] < lean["attention"] < lean["none"]


def test_choices_are_compared_by_the_least_of_the_turns():
    case = choices._case("this", "a step", [(2.0, 3.0), (1.0, 5.0)])
    assert case == {"choice": "this", "measured": "a step", "seconds": 1.0, "otherwise": 3.0, "otherwise / ours": 3.0}


def test_networks_apart_and_joined_compute_the_same():
    nets, *works = choices.two_networks(8, 4)
    seen = []
    for work in works:
        work()
        seen.append([parameter.grad.clone() for parameter in nets.parameters()])
        nets.zero_grad()
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*seen, strict=True))


def test_plain_attention_is_attention():
    q, k, v = torch.randn(3, 2, 2, 5, 4).unbind()
    mask = torch.rand(2, 2, 5, 5) > 0.3
    mask[..., 0] = True
    for allowed in (None, mask):
        wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        assert torch.allclose(choices.plain_attention(q, k, v, allowed), wanted, atol=1e-5)


@pytest.mark.parametrize("is_xl", [True, False])
def test_a_step_in_another_shape_has_the_gradients_of_a_plain_loop(is_xl, tmp_path):
    params = tiny_xl.params() if is_xl else tiny_checkpoint._params("v")
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({"model": {"params": params}}), encoding="utf-8")
    shape = shapes.Shape("tiny", config, 64, "eps" if is_xl else "v", tiny_xl.POOLED_WIDTH if is_xl else 0)
    rows = {row["step"]: row for row in shapes.measure_shape(shape, 1)}
    assert list(rows)[-1] == "plain loop"
    assert all(float(row["gradient differs by"]) <= 1e-5 for row in rows.values())
    assert len({row["loss"] for row in rows.values()}) == 1


def test_gradients_of_nothing_but_rounding_are_not_compared():
    wanted = [torch.ones(4), torch.full((4,), 1e-9)]
    found = shapes.differences([torch.ones(4) * 1.5, torch.zeros(4)], wanted)
    assert found == {"gradient differs by": "5.0e-01", "one tensor by": "5.0e-01"}


def test_a_shape_that_the_memory_does_not_take_is_passed_over():
    (row,) = shapes._rows(shapes.Shape("vast", shapes._CONFIGS / "sd2.yaml", 256, "v", needed_mb=1 << 40), 1)
    assert row["skipped"].startswith("takes ")


def test_without_a_webui_its_trainer_is_passed_over_with_a_sentence(monkeypatch):
    monkeypatch.delenv("WEBUI_DIR", raising=False)
    assert webui.measure(1)["skipped"] == "WEBUI_DIR names no installed WebUI"


def test_each_size_of_a_case_is_known():
    assert set(models.SIZES) == {"sd15", "narrow"}
    assert models.SIZES["sd15"][1] == models.WIDTHS[0]
    with pytest.raises(KeyError):
        models.hollow_unet(None, Case("other", 64).model)


def test_every_benchmark_is_described():
    text = (launcher.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for name in launcher.benchmarks():
        assert f"launch.py bench {name}`" in text or f"launch.py bench {name} " in text, name


def test_the_table_of_memory_has_the_numbers_that_were_kept():
    """They are counted, so that a change of what a step keeps shows in the next run of the command."""
    rows, kept = _table_and_cases("memory")
    table = {name: [cell for cell in cells if cell] for name, *cells in rows}
    assert [*table] == [_spelt(case["estimate of"]) for case in kept]
    for case in kept:
        assert table[_spelt(case["estimate of"])] == [
            str(case[kind]) for kind in ("none", "attention", "all") if kind in case
        ]


def test_the_table_of_the_start_has_the_numbers_that_were_kept():
    rows, kept = _table_and_cases("startup")
    assert len(rows) == len(kept)
    for (what, seconds, processor_s, wanted), case in zip(rows, kept, strict=True):
        assert what.split(",")[0] == case["what"].split(",")[0]
        for told, value in ((seconds, case["seconds"]), (processor_s, case["processor_seconds"])):
            assert float(told.split()[0]) == pytest.approx(value, rel=0.01)
        assert case["seconds"] < float(wanted.removeprefix("under "))


def _table_and_cases(name):
    """Return the rows of a section of the table, and the cases that its command kept."""
    text = (sources.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    kept = json.loads((sources.ROOT / "benchmarks" / "results" / f"{name}-cpu.json").read_text(encoding="utf-8"))
    return _rows(text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]), kept["cases"]


def _rows(section):
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[2:]]


def _spelt(name):
    return name.replace(" px", " pixels")
