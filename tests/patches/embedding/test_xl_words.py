"""Embeddings on the embedded host, with a model of SDXL's shape; a process holds one host at a time."""

from __future__ import annotations

import sys

import numpy as np

from tests.support import pictures, tiny_xl, webui_parts
from tests.support.word_runs import drawn, job, started


def test_sdxl_has_vectors_for_both_text_encoders(tmp_path):
    from hypernetwork_workbench.hypernetworks.embedding import files
    from hypernetwork_workbench.patches.runs.training import run_job

    from hypernetwork_workbench import patches

    folder = tmp_path / "pictures"
    pictures.captioned(folder, 2, (64, 64))
    host = started(tiny_xl.write(tmp_path), tmp_path / "data")
    with webui_parts.added():
        patches.install_all()
        try:
            result = run_job(job(folder, embedding__trains="both", embedding__rate="0.1"))
            path = tmp_path / "data" / "embeddings" / "zork.pt"
            saved = files.read(path)
            assert {key: tuple(value.shape) for key, value in saved.vectors.items()} == {
                "clip_l": (2, tiny_xl._CLIP_WIDTH),
                "clip_g": (2, tiny_xl.POOLED_WIDTH),
            }
            assert (saved.metadata.step, result.network.name) == (6, "words.pt")
            database = sys.modules["modules.sd_hijack"].model_hijack.embedding_db
            assert list(database.word_embeddings) == ["zork"]
            with_file = drawn()
            path.unlink()
            without = drawn()
            assert np.array_equal(with_file[0], without[0])
            assert not np.array_equal(with_file[1], without[1])
        finally:
            patches.uninstall_all()
            host.stop()
