"""Makes the demo checkpoint: trains a tiny latent diffusion model in SD1's shape on drawn shapes, then measures it.

    python examples/make_demo_checkpoint.py [--work FOLDER] [--out examples/demo.safetensors]

Seeded; about two hours on two quiet cores. Finished stages in the work folder are used again. The wider autoencoder of
the file kept here had 4,500 steps, then 3,600 more at a rate of 1.2e-3 with the seed 6; its text model and U-Net learnt
looks from the halved weights of the file before it, with one thread.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hypernetwork_workbench.examples.looks.training import LooksPlan, tokens_with_looks, widen_denoiser  # noqa: E402
from hypernetwork_workbench.examples.shapes import checkpoint, evaluate  # noqa: E402
from hypernetwork_workbench.examples.shapes.captions import for_training  # noqa: E402
from hypernetwork_workbench.examples.shapes.data import DENOISER_MIX, as_input, draw_many  # noqa: E402
from hypernetwork_workbench.examples.shapes.models import Autoencoder  # noqa: E402
from hypernetwork_workbench.examples.shapes.sample import Demo  # noqa: E402
from hypernetwork_workbench.examples.shapes.train_autoencoder import (  # noqa: E402
    AutoencoderPlan,
    WideningPlan,
    psnr,
    train_autoencoder,
    widen_autoencoder,
)
from hypernetwork_workbench.examples.shapes.train_denoiser import (  # noqa: E402
    Denoiser,
    DenoiserPlan,
    train_denoiser,
)

logger = logging.getLogger("make_demo_checkpoint")


def main() -> None:
    """Run the stages in order: autoencoder, text model with U-Net, all of them wider, the file, its measures."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.work.mkdir(parents=True, exist_ok=True)
    autoencoder = _autoencoder(options.work / "autoencoder.pt")
    denoiser = _denoiser(options.work / "denoiser.pt", autoencoder)
    autoencoder = _widened(options.work / "wider-autoencoder.pt", autoencoder)
    denoiser = _widened_denoiser(options.work / "wider-denoiser.pt", denoiser, autoencoder)
    checkpoint.save_checkpoint(Demo(autoencoder, denoiser.unet, denoiser.text.full_model()), options.out)
    checkpoint.save_config(options.out.with_suffix(".yaml"))
    demo = checkpoint.load_checkpoint(options.out)
    right, wrong = evaluate.followed(demo)
    logger.info("%s: %.1f MB", options.out.name, options.out.stat().st_size / 1e6)
    logger.info("reconstruction of the style: %.2f dB", psnr(demo.autoencoder))
    logger.info("captions followed: %d of %d; not: %s", right, evaluate.PROMPTS, "; ".join(wrong) or "none")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    stages = ROOT / "data" / "demo-checkpoint"
    parser.add_argument("--work", type=Path, default=stages, help="folder for finished stages")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "demo.safetensors", help="file to write")
    return parser.parse_args()


def _autoencoder(stage: Path) -> Autoencoder:
    """Return the autoencoder with standardised latents, trained unless the stage is there."""
    autoencoder = Autoencoder()
    if stage.exists():
        autoencoder.load_state_dict(torch.load(stage, weights_only=True))
    else:
        autoencoder = train_autoencoder(AutoencoderPlan())
        torch.save(autoencoder.state_dict(), stage)
    pictures = as_input(draw_many(1024, DENOISER_MIX, seed=3, among=for_training()).pictures)
    checkpoint.standardise_latents(autoencoder, pictures)
    return autoencoder.requires_grad_(False).eval()


def _widened(stage: Path, autoencoder: Autoencoder) -> Autoencoder:
    """Return an autoencoder that holds pictures in any look, trained unless the stage is there."""
    if stage.exists():
        autoencoder.load_state_dict(torch.load(stage, weights_only=True))
    else:
        autoencoder = widen_autoencoder(autoencoder, WideningPlan())
        torch.save(autoencoder.state_dict(), stage)
    return autoencoder.requires_grad_(False).eval()


def _denoiser(stage: Path, autoencoder: Autoencoder) -> Denoiser:
    """Return the text model and the U-Net, trained unless the stage is there."""
    if stage.exists():
        denoiser = Denoiser()
        denoiser.load_state_dict(torch.load(stage, weights_only=True))
        return denoiser
    denoiser = train_denoiser(autoencoder, DenoiserPlan(), _keeper(stage))
    torch.save(denoiser.state_dict(), stage)
    return denoiser


def _widened_denoiser(stage: Path, before: Denoiser, autoencoder: Autoencoder) -> Denoiser:
    """Return a text model and a U-Net that know looks of many kinds, trained unless the stage is there."""
    if stage.exists():
        denoiser = Denoiser(tokens_with_looks())
        denoiser.load_state_dict(torch.load(stage, weights_only=True))
        return denoiser
    denoiser = widen_denoiser(before, autoencoder, LooksPlan(), _keeper(stage))
    torch.save(denoiser.state_dict(), stage)
    return denoiser


def _keeper(stage: Path) -> Callable[[Any], None]:
    """Return what keeps the weights of a training that is still at work, beside its stage."""
    unfinished = stage.with_name(f"unfinished-{stage.name}")
    return lambda so_far: torch.save(so_far.state_dict(), unfinished)


if __name__ == "__main__":
    main()
