"""Settings of the run itself."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.intervals import parse_interval
from ...base.options import Group, Settings, setting
from ...base.registry import rule
from ...kernels import attention as attention_kernels
from ...kernels import stored_layers
from ...kernels.memory import CHECKPOINTING
from .optimizer import OPTIMIZER

MEMORY = Group("memory", "Memory and speed")
SAFETY = Group("safety", "Validation and safety")
_MOST_STEPS = 10_000_000


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Length, seed and safety of the run."""

    max_steps: int | str = setting(
        1000,
        "Steps",
        "Optimizer steps of the whole run, or a length such as 20 epochs.",
        minimum=1,
        maximum=_MOST_STEPS,
    )
    gradient_accumulation: int = setting(
        1, "Gradient accumulation", "Batches gathered for one step.", minimum=1, maximum=1024
    )

    precision: str = setting(
        "auto",
        "Precision",
        "auto uses the precision of the model on a GPU, and fp32 on the CPU.",
        group=OPTIMIZER,
        choices=("auto", "fp32", "bf16", "fp16"),
        needs_gpu=("fp32",),  # auto is the same there
    )
    ema_decay: float = setting(
        0.0,
        "EMA decay",
        "0.99 to 0.999 saves a running mean of the weights; 0 is off.",
        group=OPTIMIZER,
        minimum=0.0,
        maximum=0.99999,
    )
    seed: int = setting(
        0,
        "Training seed",
        "Fixes initial weights, order, noise, timesteps and dropout.",
        group=OPTIMIZER,
        minimum=0,
        maximum=2**63 - 1,
    )

    attention: str = setting(
        "auto",
        "Attention in training",
        "auto uses torch's own fused SDPA where there is one; xformers needs a GPU; host uses the one in the "
        "WebUI's settings.",
        group=MEMORY,
        choices=attention_kernels.CHOICES,
        needs_gpu=("host",),  # auto computes the same there, and no slower
    )
    checkpointing: str = setting(
        "auto",
        "Gradient checkpointing",
        "Saves memory but takes time: attention computes the transformer blocks again in the backward pass, all"
        " every block; auto chooses the least that fits into the free memory.",
        group=MEMORY,
        choices=("auto", *CHECKPOINTING),
    )
    unet_storage: str = setting(
        stored_layers.AS_LOADED,
        "U-Net in memory",
        "fp8 rounds its weights to eight bits during the run: half the memory of fp16, a little slower; afterwards it "
        "is as it was.",
        group=MEMORY,
        choices=stored_layers.CHOICES,
        needs_gpu=("fp8",),
    )
    compile_unet: bool = setting(
        False,
        "Compile the U-Net",
        "torch.compile makes faster code of its residual and feed-forward blocks, which takes minutes at the first "
        "step of each size; for long runs.",
        group=MEMORY,
        needs_gpu=(True,),
    )
    unload_encoders: bool = setting(
        True,
        "Unload VAE and text encoder",
        "They leave the GPU once pictures and captions are encoded; previews and new captions bring them back for a "
        "moment.",
        group=MEMORY,
        starts_row=True,
        needs_gpu=(True,),
    )
    optimizer_on_cpu: bool = setting(
        False,
        "Optimizer on the CPU",
        "Keeps its state in main memory and steps there: slower, but saves two or three times the size of the "
        "network on the GPU.",
        group=MEMORY,
        needs_gpu=(True,),
    )
    preview_unloads_optimizer: bool = setting(
        False,
        "Previews unload the optimizer",
        "Its state leaves the GPU while a preview is made.",
        group=MEMORY,
        needs_gpu=(True,),
    )

    validation_share: float = setting(
        0.0,
        "Validation share",
        "Share of the pictures that is held out to measure the validation loss.",
        group=SAFETY,
        minimum=0.0,
        maximum=0.5,
    )
    validation_every: str = setting(
        "1 epoch",
        "Validate every",
        "Steps between measurements of the validation loss, or a length such as 2 epochs.",
        group=SAFETY,
    )
    rollback_after: int = setting(
        3,
        "Roll back after",
        "Steps in a row whose loss or gradient is not finite, before the last good state is restored.",
        group=SAFETY,
        starts_row=True,
        minimum=1,
        maximum=1000,
    )
    rollback_halves_rate: bool = setting(
        False, "Roll-back halves the rate", "Continues with half the learning rate after a roll-back.", group=SAFETY
    )

    @rule("compile_unet")
    def _compiles_what_is_loaded(self) -> None:
        if self.compile_unet and self.unet_storage != stored_layers.AS_LOADED:
            raise SettingsError(
                "compile_unet",
                f"is not possible with a U-Net in {self.unet_storage}; switch it off, or choose as loaded for that",
            )

    @rule("max_steps")
    def _ends(self) -> None:
        self.steps(1)

    @rule("validation_every")
    def _validates(self) -> None:
        if not parse_interval("validation_every", self.validation_every, 1):
            raise SettingsError("validation_every", "must not be 0; a validation share of 0 switches it off")

    def steps(self, steps_per_epoch: int) -> int:
        """Return the optimizer steps of the whole run, where a pass over the dataset has this many.

        Raises:
            SettingsError: there are none, or too many.
        """
        steps = parse_interval("max_steps", self.max_steps, steps_per_epoch)
        if steps < 1:
            raise SettingsError("max_steps", f"must be at least 1, not {self.max_steps}")
        if steps > _MOST_STEPS:
            raise SettingsError("max_steps", f"must be at most {_MOST_STEPS} steps, not {self.max_steps}")
        return steps
