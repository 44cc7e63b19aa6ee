"""Unexpected errors: one sentence with a report, and nothing else."""

from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, WorkbenchError
from hypernetwork_workbench.hypernetworks.base.unexpected_errors import UnexpectedError, report_unexpected


def fail_with_a_caption():
    raise KeyError("1girl, secret caption")


def nested():
    try:
        fail_with_a_caption()
    except KeyError as error:
        raise RuntimeError("while reading secret caption") from error


@pytest.mark.unexpected
def test_an_unexpected_error_is_one_sentence_with_a_report(tmp_path):
    with (
        pytest.raises(UnexpectedError, match="an unexpected error occurred") as caught,
        report_unexpected(lambda: tmp_path / "reports"),
    ):
        nested()
    written = list((tmp_path / "reports").iterdir())
    assert len(written) == 1
    assert str(written[0]) in str(caught.value)
    assert "\n" not in str(caught.value)
    text = written[0].read_text()
    assert "builtins.KeyError" in text
    assert "builtins.RuntimeError" in text
    assert "fail_with_a_caption" in text
    assert f"torch {torch.__version__.partition('+')[0]}" in text
    assert "secret" not in text
    assert str(Path.home()) not in text


@pytest.mark.unexpected
def test_a_folder_that_cannot_be_written_leaves_the_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UnexpectedError, match="cannot be written"),
        report_unexpected(lambda: tmp_path / "file" / "reports"),
    ):
        nested()


@pytest.mark.unexpected
def test_reports_do_not_pile_up(tmp_path):
    for number in range(60):
        (tmp_path / f"report-2020-{number:02d}.txt").write_text("")
    with pytest.raises(UnexpectedError), report_unexpected(lambda: tmp_path):
        nested()
    assert len(list(tmp_path.iterdir())) == 50
    assert not (tmp_path / "report-2020-00.txt").exists()


def test_errors_with_a_sentence_and_interrupts_pass(tmp_path):
    for error in (DatasetError("no picture"), KeyboardInterrupt(), SystemExit(2)):
        with pytest.raises(type(error)) as caught, report_unexpected(lambda: tmp_path / "reports"):
            raise error
        assert caught.value is error
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("error", "owner"),
    [
        (MemoryError(), "computer"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "computer",
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), "computer"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), "GPU"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), "GPU"),
    ],
)
def test_too_little_memory_has_its_own_sentence(tmp_path, error, owner):
    with (
        pytest.raises(WorkbenchError, match=f"^the {owner} has too little memory") as caught,
        report_unexpected(lambda: tmp_path),
    ):
        raise error
    assert not isinstance(caught.value, UnexpectedError)


def test_a_real_allocation_that_fails_is_known(tmp_path):
    with pytest.raises(WorkbenchError, match="the computer has too little memory"), report_unexpected(lambda: tmp_path):
        torch.empty(2**60, dtype=torch.uint8)
