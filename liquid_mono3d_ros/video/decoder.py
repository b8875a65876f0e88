"""Codes → frames, and features → labels: what teaches the encoder, and measures it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.video.causal import CausalBlock, CausalConv, PixelNorm
from liquid_mono3d_ros.video.encoder import FEATURES, VideoDesign

THUMBNAIL = 16
"""Side of the small grey picture that is read from a feature, px."""


class Decoder(nn.Module):
    """Codes as ±1 → logits of the frames, (B, T', C, 8, 8) → (B, T, 3, 64, 64), causal too.

    Latent step j gives the frames after step j - 1 up to its own; the first step gives one frame.
    """

    def __init__(self, design: VideoDesign) -> None:
        super().__init__()
        wide, middle, deep = design.widths
        self.time_stride = design.time_stride
        self.norm = PixelNorm()
        self.code = CausalConv(design.bits, deep)
        self.coarse = nn.ModuleList([CausalBlock(deep, 2), CausalBlock(deep, 2)])
        self.to_middle = CausalConv(deep, middle, frames=1)
        self.middle = CausalBlock(middle, 1)
        self.to_wide = CausalConv(middle, 4 * wide, frames=1)
        self.frames = CausalConv(wide, 4 * 3 * self.time_stride, frames=1)

    def forward(self, code: Tensor) -> Tensor:
        """Return logits of the frames' brightness; the sigmoid is the picture."""
        x, _ = self.code(code)
        for block in self.coarse:
            x, _ = block(x)
        x, _ = self.to_middle(_doubled(x))  # 16 px
        x, _ = self.middle(x)
        x, _ = self.to_wide(functional.silu(self.norm(x)))
        x = functional.pixel_shuffle(x, 2)  # 32 px
        x, _ = self.frames(functional.silu(self.norm(x)))
        x = functional.pixel_shuffle(x, 2)  # (B, T', 3 time_stride, 64, 64)
        frames: Tensor = x.unflatten(2, (self.time_stride, 3)).flatten(1, 2)
        return frames[:, self.time_stride - 1 :]


class Readers(nn.Module):
    """Linear readings of features, which teach them.

    Of a clip's mean feature its attributes; of each step's a small grey picture, whether the
    object flashes, and the logarithm of its size over the side of the crop.

    Args:
        attributes: Number of values of each.
    """

    def __init__(self, attributes: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {name: nn.Linear(FEATURES, count) for name, count in attributes.items()}
        )
        self.instant = nn.Linear(FEATURES, 2)
        self.thumbnail = nn.Linear(FEATURES, THUMBNAIL * THUMBNAIL)

    def forward(self, features: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return logits of each attribute, pictures, and flashes and sizes.

        Their shapes are (B, values), (B, T', 16, 16), of greys in [0, 1], and (B, T', 2).

        Args:
            features: (B, T', 512).
        """
        mean = features.mean(dim=1)
        logits = {name: head(mean) for name, head in self.heads.items()}
        picture = self.thumbnail(features).unflatten(-1, (THUMBNAIL, THUMBNAIL))
        return logits, torch.sigmoid(picture), self.instant(features)


def _doubled(x: Tensor) -> Tensor:
    """Return pictures (B, T, C, H, W) of twice the size."""
    large: Tensor = functional.interpolate(x.flatten(0, 1), scale_factor=2.0)
    return large.reshape(*x.shape[:2], *large.shape[1:])
