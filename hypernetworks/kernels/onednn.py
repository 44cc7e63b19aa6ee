"""oneDNN's linear maps and convolutions on a CPU in float32, where torch has them; no gradient goes through.

Torch computes a plain linear layer with its BLAS, which on some processors runs at less than half the speed, and it
changes the layout of a convolution's weights in each call, which with few pixels takes longer than the convolution.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

#: Multiplications below which a gradient function in Python costs more than a faster kernel saves.
MIN_WORK = 1 << 20

_PROBE_TOLERANCE = 1e-4


def takes(*tensors: Tensor) -> bool:
    """Tell whether this torch has the functions, and they can compute with all these tensors."""
    for each in tensors:
        if each.dtype != torch.float32 or each.device.type != "cpu" or each.numel() == 0:
            return False
    return _works() and bool(torch.backends.mkldnn.enabled)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x W^T + b for x [..., inputs] and W [outputs, inputs], in any layout or from `lay_out_linear`."""
    if not (weight.is_mkldnn or weight.is_contiguous() or weight.t().is_contiguous()):
        weight = weight.contiguous()  # with gaps between its rows oneDNN takes a thousand times as long
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def lay_out_linear(weight: Tensor) -> Tensor:
    """Return a copy of W [outputs, inputs] for `linear`, in the layout that is fastest on this processor."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """Return the convolution of x [batch, inputs, height, width], stride 1, with weights from `lay_out_convolution`."""
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, [padding] * 2, [1, 1], [1, 1], 1, "none", [], "")


def lay_out_convolution(weight: Tensor, shape: Sequence[int], padding: int) -> Tensor:
    """Return a copy of weights [outputs, inputs, side, side] laid out for `convolve` with one shape and padding.

    With other shapes `convolve` gives the same, but up to a hundred times as slowly.
    """
    return torch.ops.mkldnn._reorder_convolution_weight(
        weight.contiguous(), [padding] * 2, [1, 1], [1, 1], 1, list(shape)
    )


@functools.cache
def _works() -> bool:
    """Tell whether the operators, which torch does not promise to keep, exist and compute the right numbers."""
    if not torch.backends.mkldnn.is_available():
        return False
    numbers = torch.linspace(-1, 1, 144)
    x, weight = numbers[:32].reshape(2, 16), numbers[:64].reshape(4, 16)
    pixels, kernel = numbers[:32].reshape(1, 2, 4, 4), numbers[:72].reshape(4, 2, 3, 3)
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        try:
            lines = [linear(x, weight, None), linear(x, lay_out_linear(weight), None)]
            picture = convolve(pixels, lay_out_convolution(kernel, pixels.shape, 1), None, 1)
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return False
        wanted = functional.linear(x, weight)
        return all(torch.allclose(line, wanted, atol=_PROBE_TOLERANCE) for line in lines) and torch.allclose(
            picture, functional.conv2d(pixels, kernel, padding=1), atol=_PROBE_TOLERANCE
        )
