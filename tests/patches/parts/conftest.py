"""The host with the demo model, and files of a VAE and of a text encoder that are other than its own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from tests import sources
from tests.support import pictures, webui_parts


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the host with the demo model, a folder of pictures, and files of a VAE and a text encoder."""
    from standalone import host as embedded

    checkpoint = sources.ROOT / "examples" / "demo.safetensors"
    host = embedded.start(ckpt=checkpoint, data_dir=tmp_path_factory.mktemp("demo"), extension=False)
    folder = tmp_path_factory.mktemp("set")
    pictures.captioned(folder / "pictures", 2, (64, 64))
    noise = torch.Generator().manual_seed(1)

    def changed(module):
        return {
            name: (weight.detach() + 0.02 * torch.randn(weight.shape, generator=noise)).contiguous()
            for name, weight in module.named_parameters()
        }

    vae, text = changed(host.model.first_stage_model), changed(host.model.cond_stage_model)
    save_file(vae, folder / "other.vae.safetensors")
    torch.save({"state_dict": vae}, folder / "other.vae.pt")
    (folder / "clip").mkdir()
    alone = {name.removeprefix("transformer."): weight for name, weight in text.items()}
    save_file(alone, folder / "clip" / "model.safetensors")
    whole = {f"cond_stage_model.{name}": weight for name, weight in text.items()}
    save_file(
        whole | {f"first_stage_model.{name}": weight for name, weight in vae.items()}, folder / "model.safetensors"
    )
    with webui_parts.added():
        from hypernetwork_workbench import patches

        patches.install_all()
        yield SimpleNamespace(host=host, folder=folder, vae=vae, text=text)
        patches.uninstall_all()
        host.stop()
