"""`launch.py bench`: wrong arguments in one sentence, and the table and JSON of a report."""

from __future__ import annotations

import importlib
import json
import sys
import types

import pytest
import torch

from standalone import bench_command, launcher


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "NAME"),
        (["speed"], "invalid choice: 'speed'"),
        (["generation", "--rounds", "0"], "--rounds: must be at least 1, not 0"),
        (["generation", "--rounds", "x"], "invalid int value: 'x'"),
        (["generation", "--json", "/no/such/folder/f.json"], "does not exist"),
        (["generation", "--json", "."], "name a file"),
        (["generation", "--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        bench_command.main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("bench: ")
    assert said.count("\n") == 1
    assert sentence in said


def test_the_report_is_printed_and_written(tmp_path, monkeypatch, capsys):
    report = {
        "machine": "a machine",
        "cases": [{"networks": "0", "path": "plain", "seconds_per_step": 1.5, "ratio_to_none": 1.0}],
    }
    asked = []
    fake = types.SimpleNamespace(measure=lambda rounds: asked.append(rounds) or report)
    real = importlib.import_module
    monkeypatch.setattr(
        bench_command.importlib, "import_module", lambda name: fake if name == "benchmarks.generation" else real(name)
    )
    path = tmp_path / "report.json"
    assert bench_command.main(["generation", "--rounds", "2", "--json", str(path)]) == 0
    assert asked == [2]
    assert json.loads(path.read_text()) == report
    assert "| 0 | plain | 1.5 | 1.0 |" in capsys.readouterr().out


@pytest.mark.parametrize(("has_gpu", "name"), [(False, "generation-cpu.json"), (True, "generation-gpu.json")])
def test_numbers_are_kept_for_machines_with_and_without_a_gpu(has_gpu, name, tmp_path, monkeypatch):
    report = {"machine": "a machine", "cases": [{"seconds": 1.5}]}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(bench_command, "RESULTS", tmp_path)
    monkeypatch.setitem(sys.modules, "benchmarks.generation", types.SimpleNamespace(measure=lambda _: report))
    assert bench_command.main(["generation"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert bench_command.main(["generation", "--keep"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert json.loads((tmp_path / name).read_text()) == report


def test_the_benchmarks_are_those_that_measure():
    assert {"data", "generation", "startup", "training"} <= set(launcher.benchmarks())
    assert not {"machine", "models", "reference"} & set(launcher.benchmarks())


def test_importing_the_extension_is_quick():
    """Processor time, once: a busy machine must not decide. Wanted: 0.5 s."""
    from benchmarks import startup

    case = startup.extension(1)
    assert case["processor_seconds"] < 1.0
    assert case["modules"] > 50


def test_figures_without_cases_are_printed_as_json(monkeypatch, capsys):
    report = {"machine": "a machine", "tried": 2, "handled": 2, "kinds": {"texts": {"tried": 2, "handled": 2}}}
    fake = types.SimpleNamespace(measure=lambda rounds: report)
    real = importlib.import_module
    monkeypatch.setattr(
        bench_command.importlib, "import_module", lambda name: fake if name == "benchmarks.faults" else real(name)
    )
    assert bench_command.main(["faults"]) == 0
    assert json.loads(capsys.readouterr().out) == report
