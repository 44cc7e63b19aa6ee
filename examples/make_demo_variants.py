"""Makes the demo's kin in SDXL's and in SD2's shape from the demo checkpoint, then measures them.

    python examples/make_demo_variants.py [--kind xl] [--work FOLDER] [--out FOLDER]

Seeded. Text models learn the demo's context in some minutes; the training after that takes minutes for SDXL's shape,
whose U-Net keeps its task, and longer for SD2's, whose U-Net learns to predict v. Finished stages in the work folder
are used again. The demo-sd2 kept here is the average after 300 of its 500 steps; both files began with the U-Net
of the demo before it learnt looks. With `--steps 2 --text-steps 2` the script runs through in some minutes, for models
that have learnt nothing.
"""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hypernetwork_workbench.examples.shapes import checkpoint, evaluate  # noqa: E402
from hypernetwork_workbench.examples.shapes.sample import Demo, Variant  # noqa: E402
from hypernetwork_workbench.examples.shapes.train_denoiser import DenoiserPlan, train_denoiser  # noqa: E402
from hypernetwork_workbench.examples.shapes.train_variants import distil  # noqa: E402
from hypernetwork_workbench.examples.shapes.variant_files import save_variant  # noqa: E402
from hypernetwork_workbench.examples.shapes.variants import SD2, XL  # noqa: E402

logger = logging.getLogger("make_demo_variants")
TEXT_STEPS = 1500
EXAMPLES = ROOT / "examples"
BUILDS: dict[str, type[XL] | type[SD2]] = {"xl": XL, "sd2": SD2}
PLANS = {
    "xl": DenoiserPlan(steps=100, captions=8, rate=3e-4, ema=0.95, pictures=800),
    "sd2": DenoiserPlan(steps=500, captions=12, rate=1e-3, ema=0.98, pictures=1600),
}


def main() -> None:
    """Make each of the demo's kin that was asked for."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for folder in (options.work, options.out):
        folder.mkdir(parents=True, exist_ok=True)
    demo = checkpoint.load_checkpoint(EXAMPLES / "demo.safetensors")
    for kind in [options.kind] if options.kind else BUILDS:
        variant = _trained(kind, demo, options).requires_grad_(False).eval()
        out = options.out / f"demo-{kind}.safetensors"
        save_variant(variant, demo.autoencoder, out)
        right, wrong = evaluate.followed(Variant(demo.autoencoder, variant))
        logger.info("%s: %.1f MB", out.name, out.stat().st_size / 1e6)
        logger.info("captions followed: %d of %d; not: %s", right, evaluate.PROMPTS, "; ".join(wrong) or "none")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kind", choices=list(BUILDS), help="only this one")
    stages = ROOT / "data" / "demo-checkpoint"
    parser.add_argument("--work", type=Path, default=stages, help="folder for finished stages")
    parser.add_argument("--out", type=Path, default=EXAMPLES, help="folder for the checkpoints")
    parser.add_argument("--steps", type=int, help="steps of the text models and the U-Net together")
    parser.add_argument(
        "--text-steps", type=int, default=TEXT_STEPS, help="steps of the text models alone, before that"
    )
    return parser.parse_args()


def _trained(kind: str, demo: Demo, options: argparse.Namespace) -> Any:
    """Return a variant, trained unless the stage of as many steps is there."""
    plan = replace(PLANS[kind], steps=options.steps or PLANS[kind].steps)
    stage = options.work / f"{kind}-{options.text_steps}-{plan.steps}.pt"
    if stage.exists():
        found = BUILDS[kind]()
        found.load_state_dict(torch.load(stage, weights_only=True))
        return found

    def build() -> Any:
        made = BUILDS[kind]()
        distil(made, demo, options.text_steps)
        return made

    unfinished = stage.with_name(f"unfinished-{stage.name}")
    trained = train_denoiser(demo.autoencoder, plan, lambda so_far: torch.save(so_far.state_dict(), unfinished), build)
    torch.save(trained.state_dict(), stage)
    return trained


if __name__ == "__main__":
    main()
