"""Convolutions over time and image that see no later frame, and a norm that mixes none."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain

TINY = 1e-6
"""Added to a mean square before its root is taken."""


class CausalConv(nn.Module):
    """A 3D convolution over (time, row, column) whose output at a frame rests on it and earlier.

    Before the first frame the first frame stands still, so an object at rest looks alike from the
    start. With ``time_stride`` 2 there is an output for frame 0 and every second one after it.
    Worked as a 2D convolution over the window's frames laid side by side in the channels: the same
    sums, twice as fast on a CPU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        frames: Length of the window, frames.
        kernel: Width of the window, odd.
        stride: In the image.
        time_stride: In time, 1 or 2.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        frames: int = 3,
        kernel: int = 3,
        stride: int = 1,
        time_stride: int = 1,
    ) -> None:
        super().__init__()
        if time_stride not in (1, 2):
            cure = "A longer step would lose the time of a flash."
            raise ValueError(complain("time_stride", "1 or 2", str(time_stride), cure))
        self.frames, self.stride, self.time_stride = frames, stride, time_stride
        self.weight = nn.Parameter(torch.empty(outputs, frames * inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the outputs and what the next frames need.

        Args:
            x: (B, T, C, H, W), T of at least 1.
            past: Frames before the first of x, as the call before returned them; None at the
                start of a clip.
        """
        if past is None:
            past = x[:, :1].expand(-1, self.frames - 1, -1, -1, -1)
        held = torch.cat([past, x], dim=1)
        count = (held.shape[1] - self.frames) // self.time_stride + 1
        if count < 1:
            return self._nothing(x), held
        span, s = (count - 1) * self.time_stride + 1, self.time_stride
        window = [held[:, k : k + span : s] for k in range(self.frames)]
        stacked = torch.cat(window, dim=2).flatten(0, 1)  # (B T', frames C, H, W)
        if stacked.device.type == "cpu" or stacked.shape[1] >= 16:
            stacked = stacked.contiguous(memory_format=torch.channels_last)
        padding = self.weight.shape[-1] // 2
        out = functional.conv2d(stacked, self.weight, self.bias, self.stride, padding)
        return out.unflatten(0, (len(x), count)), held[:, count * self.time_stride :]

    def _nothing(self, x: Tensor) -> Tensor:
        height, width = (-(-size // self.stride) for size in x.shape[-2:])
        return x.new_zeros(len(x), 0, len(self.bias), height, width)


class PixelNorm(nn.Module):
    """Each pixel's channels over their root mean square.

    It mixes neither pixels nor frames: a GroupNorm over a clip would let later frames move
    earlier ones.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C, H, W) normalised over C."""
        return x * torch.rsqrt(x.square().mean(dim=-3, keepdim=True) + TINY)


class CausalBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the first convolution over time, too."""

    def __init__(self, channels: int, frames: int = 3) -> None:
        super().__init__()
        self.norm = PixelNorm()
        self.first = CausalConv(channels, channels, frames=frames)
        self.second = CausalConv(channels, channels, frames=1)
        self.second.weight.data *= 0.2  # a fresh block is nearly the identity

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return (B, T, C, H, W) and what the next frames need."""
        y, past = self.first(functional.silu(self.norm(x)), past)
        y, _ = self.second(functional.silu(self.norm(y)))
        return x + y, past
