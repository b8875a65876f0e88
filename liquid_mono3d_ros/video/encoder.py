"""The causal video encoder: frames of a crop → a feature per latent step, all or one by one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights
from liquid_mono3d_ros.video.causal import CausalBlock, CausalConv, PixelNorm
from liquid_mono3d_ros.video.quantiser import tokens

SIDE = 64
"""Of the frames, px."""
SITES = 8
"""Of the grid of codes, along each axis."""
FEATURES = 512
"""Numbers of a feature: 4x4 places of 32."""
NAMES = ("encoder", "decoder", "readers")
"""Of the networks in one file; the encoder alone is needed at run time."""


@dataclass(frozen=True)
class VideoDesign:
    """The shape of the networks; saved with their weights.

    Attributes:
        widths: Channels at 32, 16 and 8 px a side.
        bits: Of a code; there are 2^bits of them.
        time_stride: Frames of a latent step, 1 or 2.
    """

    widths: tuple[int, int, int] = (24, 48, 64)
    bits: int = 10
    time_stride: int = 2

    @classmethod
    def of(cls, given: dict[str, Any]) -> VideoDesign:
        """Build it from what JSON or YAML holds."""
        made: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        return cls(**made)


@dataclass(frozen=True)
class VideoState:
    """What a clip's coming frames need of the past; there is one per track.

    Attributes:
        pasts: Of each convolution.
        frames: Seen so far.
    """

    pasts: tuple[Tensor | None, ...]
    frames: int


class VideoEncoder(nn.Module):
    """Clips → features and codes, strictly causal: MAGVIT-v2's idea at a small size.

    Latent step j is made when frame ``j * time_stride`` arrives, of it and those before it; a
    single frame has a step, too. A feature is 4x4 places of 32 channels, row by row, brought to
    root mean square one.

    Source: Yu et al., Language Model Beats Diffusion: Tokenizer is Key to Visual Generation
    (MAGVIT-v2), 2024. Differs: our widths; per-pixel norm; a branch for features beside the codes.
    """

    def __init__(self, design: VideoDesign | None = None) -> None:
        super().__init__()
        self.design = design or VideoDesign()
        wide, middle, deep = self.design.widths
        self.norm = PixelNorm()
        self.stem = CausalConv(3, wide, stride=2)  # 32 px
        self.down = CausalConv(wide, middle, stride=2, frames=1)  # 16 px
        self.fine = CausalBlock(middle)
        self.halve = CausalConv(middle, deep, stride=2, time_stride=self.design.time_stride)
        self.coarse = CausalBlock(deep)  # 8 px
        self.code = CausalConv(deep, self.design.bits, frames=1, kernel=1)
        nn.init.orthogonal_(self.code.weight.data.flatten(1))
        self.last = CausalConv(deep, deep, frames=2, stride=2)  # 4 px
        self.place = CausalConv(deep, FEATURES // 16, frames=1, kernel=1)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode whole clips.

        Args:
            clips: RGB in [0, 1], (B, T, 3, 64, 64).

        Returns:
            Features (B, T', 512), codes (B, T', 8, 8) and the index of the last frame that each
            latent step has seen, (T',).
        """
        features, z, _ = self.encode(clips)
        stride = self.design.time_stride
        last = torch.arange(z.shape[1], device=clips.device) * stride
        return features, tokens(z), last

    def step(self, frames: Tensor, state: VideoState | None = None) -> tuple[Tensor, VideoState]:
        """Encode the next frames of clips.

        Args:
            frames: (B, T, 3, 64, 64), T of at least 1.
            state: As the call before returned it; None at the start.

        Returns:
            The features that have become due, (B, T', 512), T' may be 0; and the new state.
        """
        features, _, state = self.encode(frames, state)
        return features, state

    def encode(
        self, frames: Tensor, state: VideoState | None = None
    ) -> tuple[Tensor, Tensor, VideoState]:
        """Return features (B, T', 512), latents (B, T', C, 8, 8) and the new state."""
        _check_clips(frames)
        old = state or VideoState((None,) * 5, 0)
        x, stem = self.stem(2 * frames - 1, old.pasts[0])
        x, _ = self.down(functional.silu(self.norm(x)))
        x, fine = self.fine(x, old.pasts[1])
        x, halve = self.halve(functional.silu(self.norm(x)), old.pasts[2])
        pasts, z, features = (old.pasts[3], old.pasts[4]), *self._nothing(x)
        if x.shape[1]:
            x, coarse = self.coarse(x, old.pasts[3])
            x = self.norm(x)
            z, _ = self.code(x)  # before any bend: a bit has no reason to be always set
            x, last = self.last(functional.silu(x), old.pasts[4])
            x, _ = self.place(functional.silu(self.norm(x)))
            features, pasts = _level(x), (coarse, last)
        new = VideoState((stem, fine, halve, *pasts), old.frames + frames.shape[1])
        return features, z, new

    def _nothing(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents and features of no step."""
        return x.new_zeros(len(x), 0, self.design.bits, SITES, SITES), x.new_zeros(
            len(x), 0, FEATURES
        )


def _level(x: Tensor) -> Tensor:
    """Return features (B, T, 512) of root mean square one from places (B, T, 32, 4, 4)."""
    flat = x.movedim(2, -1).flatten(2)
    return flat * torch.rsqrt(flat.square().mean(dim=-1, keepdim=True) + 1e-6)


def _check_clips(clips: Tensor) -> None:
    if clips.ndim != 5 or clips.shape[1] < 1 or tuple(clips.shape[2:]) != (3, SIDE, SIDE):
        rule, cure = f"of shape (B, T, 3, {SIDE}, {SIDE})", "Resize the crops, colours first."
        raise ValueError(complain("clips", rule, f"shape {tuple(clips.shape)}", cure))


def save_video(
    path: str | Path, networks: dict[str, nn.Module], design: VideoDesign, card: dict[str, Any]
) -> None:
    """Write networks, by the names in ``NAMES``, with their design and a card.

    The encoder is kept in float32, what only measures it in float16.
    """
    kinds = {"encoder": np.float32}
    arrays = {
        f"{name}.{key}": value.detach().cpu().float().numpy().astype(kinds.get(name, np.float16))
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    notes = {"version": "1", "design": json.dumps(asdict(design)), "card": json.dumps(card)}
    write_weights(path, arrays, notes)


def read_video(path: str | Path) -> tuple[dict[str, dict[str, Tensor]], VideoDesign]:
    """Return the weights of each network in a file, and their design.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no video encoder.
    """
    arrays, notes = read_weights(path)
    if notes.get("version") != "1" or "design" not in notes:
        rule, cure = "a file of a video encoder, version 1", "Train one, or fetch the packaged."
        raise ValueError(complain("path", rule, str(path), cure))
    found: dict[str, dict[str, Tensor]] = {name: {} for name in NAMES}
    for key, array in arrays.items():
        name, _, rest = key.partition(".")
        found[name][rest] = torch.from_numpy(array.astype(np.float32))
    return found, VideoDesign.of(json.loads(notes["design"]))


def load_encoder(path: str | Path) -> VideoEncoder:
    """Return the encoder of a file, ready to run."""
    found, design = read_video(path)
    encoder = VideoEncoder(design)
    encoder.load_state_dict(found["encoder"])
    return encoder.eval().requires_grad_(False)
