"""Mixed precision: the dtype of the forward pass, and the scaler that fp16 needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...base.errors import SettingsError
from ...base.forms import Number, Record, Whole

_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_NAMES = {torch.bfloat16: "bf16", torch.float16: "fp16"}
#: The scaler's state in a file.
SCALER = Record(
    {
        "scale": Number(2.0**-126, 2.0**127),
        "growth_factor": Number(1, 1e6),
        "backoff_factor": Number(1e-6, 1),
        "growth_interval": Whole(1, 1_000_000_000),
        "_growth_tracker": Whole(0, 1_000_000_000),
    }
)


class Precision:
    """Scales, clips and steps in the order that keeps the true gradient.

    Args:
        name: "auto", "fp32", "bf16" or "fp16".
        device: the device of the model.
        model_dtype: dtype of its weights. With fp16 the loss is always scaled, since gradients go through the model.

    Raises:
        SettingsError: fp16 was chosen on a CPU, which has no usable fp16 backward pass.
    """

    def __init__(self, name: str, device: torch.device, model_dtype: torch.dtype = torch.float32) -> None:
        self._device = device
        self.dtype = _DTYPES[_chosen(name, device, model_dtype)]
        self._scaler: Any = None
        if device.type == "cuda" and torch.float16 in (self.dtype, model_dtype):
            # The name before torch 2.3 is deprecated since.
            scaler = torch.amp.GradScaler if hasattr(torch.amp, "GradScaler") else torch.cuda.amp.GradScaler
            self._scaler = scaler()

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the forward pass runs in the chosen dtype."""
        return torch.autocast(self._device.type, self.dtype) if self.dtype else nullcontext()

    @property
    def is_searching_scale(self) -> bool:
        """Whether a non-finite gradient may only mean that the scaler is still searching its scale."""
        return self._scaler is not None and self._scaler.get_scale() > 1.0

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of `loss`."""
        (self._scaler.scale(loss) if self._scaler else loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale of the loss."""
        if self._scaler:
            self._scaler.unscale_(optimizer)

    def step_where(self, optimizer: torch.optim.Optimizer, is_good: Tensor) -> None:
        """Take the step if `is_good` [], a tensor on the device, is true; it is not read on the CPU.

        For optimizers of which `leaves_out_on_device` is true; the scaler makes them do the same by itself.
        """
        if self._scaler:
            self._scaler.step(optimizer)
            self._scaler.update()
            return
        fused: Any = optimizer
        fused.grad_scale, fused.found_inf = None, (~is_good).float()
        try:
            optimizer.step()
        finally:
            del fused.grad_scale, fused.found_inf

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the step; if a gradient is not finite, the scaler leaves it out and lowers its scale."""
        if self._scaler:
            self._scaler.step(optimizer)
            self._scaler.update()
        else:
            optimizer.step()

    def skip(self) -> None:
        """Leave the step out and update the scaler, which otherwise refuses to unscale the next step."""
        if self._scaler:
            self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the scaler's state; empty without one."""
        return self._scaler.state_dict() if self._scaler else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the scaler's state."""
        if self._scaler and state:
            self._scaler.load_state_dict(state)


def leaves_out_on_device(optimizer: torch.optim.Optimizer) -> bool:
    """Tell whether the optimizer itself leaves out a step whose gradient is not finite, as torch's fused ones do."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def clip(parameters: Sequence[nn.Parameter], kind: str, limit: float) -> Tensor:
    """Limit the gradients by their norm, or each number by its value; return the norm before that, a scalar tensor."""
    if kind == "norm":
        return torch.nn.utils.clip_grad_norm_(parameters, limit)
    norm = _norm(parameters)
    if kind == "value":
        torch.nn.utils.clip_grad_value_(parameters, limit)
    return norm


def _norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    measure = getattr(torch.nn.utils, "get_total_norm", None)
    if measure is None:  # before torch 2.6
        return torch.nn.utils.clip_grad_norm_(parameters, math.inf)
    return measure([weight.grad for weight in parameters if weight.grad is not None])


def _chosen(name: str, device: torch.device, model_dtype: torch.dtype) -> str:
    if name == "auto":
        # With another dtype autocast would keep a second copy of most weights in each step; and a GPU for which the
        # host is set to fp32 often computes NaN in fp16.
        return _NAMES.get(model_dtype, "fp32") if device.type == "cuda" else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise SettingsError("train.precision", "fp16 needs a GPU; choose auto, fp32 or bf16 on the CPU")
    return name
