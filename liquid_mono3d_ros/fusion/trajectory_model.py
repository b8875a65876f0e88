"""Features of a track with their stamps → how it moves: a liquid cell, and its twins.

A twin has another recurrence and about as many parameters; all go through ``TrajectoryModel``.
The liquid one takes the time since the step before as its time step, the others as one more input.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

MOTIONS = ("line", "circle", "helix", "parabola", "turn", "stop-and-go", "bounce", "hover")
"""What a motion can be, in the order of the logits."""
KINDS = ("liquid", "gru", "transformer")
LAGS = (1, 4, 12)
"""Steps over which a track's velocity is told."""
SMOOTH = 8
"""Steps over which a track's offsets are averaged."""
HEADS = 4
"""Of the transformer's attention; its width is a multiple of this."""


@dataclass(frozen=True)
class MotionReading:
    """What a model says of B tracks.

    Attributes:
        motion: Logits of ``MOTIONS``, (B, 8).
        persistent: Logit that an object made the track, not clutter, (B,).
        hidden: After each step, (B, T, H).
    """

    motion: Tensor
    persistent: Tensor
    hidden: Tensor


class TrajectoryModel(nn.Module):
    """Per-step features → states → mean and largest state → heads.

    Args:
        input_size: Numbers of a step's features, 512 of a video encoder's.
        units: Width of states and of the layer before them.
    """

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__()
        self.input_size, self.units = input_size, units
        self.adapter = nn.Sequential(
            nn.Linear(input_size, units), nn.SiLU(), nn.Linear(units, units), nn.SiLU()
        )
        self.motion = nn.Linear(2 * units, len(MOTIONS))
        self.persistent = nn.Linear(2 * units, 1)

    def states(self, x: Tensor, dt: Tensor, seen: Tensor) -> Tensor:
        """Return the states (B, T, H) of inputs (B, T, H) with their time steps and masks."""
        raise NotImplementedError

    def forward(self, x: Tensor, dt: Tensor, seen: Tensor) -> MotionReading:
        """Read tracks.

        Args:
            x: Features, (B, T, I).
            dt: Since the last step that was seen, s, (B, T); of the first one 0.
            seen: Which steps there are, at least one, (B, T) bool.
        """
        if x.ndim != 3 or x.shape[2] != self.input_size or dt.shape != x.shape[:2]:
            rule = f"of shape (B, T, {self.input_size}), and dt (B, T)"
            got = f"{tuple(x.shape)} and {tuple(dt.shape)}"
            raise ValueError(complain("x", rule, got, "Give one time step per feature."))
        h = self.states(self.adapter(x), dt, seen)
        there = seen[..., None]
        mean = (h * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)
        most = h.masked_fill(~there, -math.inf).amax(dim=1)
        pooled = torch.cat([mean, most], dim=1)
        return MotionReading(self.motion(pooled), self.persistent(pooled)[:, 0], h)

    @property
    def num_parameters(self) -> int:
        """Numbers that training can move."""
        return sum(p.numel() for p in self.parameters())


class LiquidTrajectoryModel(TrajectoryModel):
    """With ``AdaptiveTauCell``, stepped with the real dt."""

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__(input_size, units)
        self.layer = Liquid(units, units, cell="adaptive")

    def states(self, x: Tensor, dt: Tensor, seen: Tensor) -> Tensor:
        """Return the states (B, T, H); where nothing was seen the last one stays."""
        found: Tensor = self.layer(x, timespans=dt, mask=seen)[0]
        return found


class GRUTrajectoryModel(TrajectoryModel):
    """With a GRU that hears log dt."""

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__(input_size, units)
        self.layer = nn.GRU(units + 1, units, batch_first=True)

    def states(self, x: Tensor, dt: Tensor, seen: Tensor) -> Tensor:
        """Return the states (B, T, H); unseen steps are left out of the recurrence."""
        order, back = _packed(seen)
        told = torch.cat([x, _heard(dt)], dim=2)
        states, _ = self.layer(_take(told, order))
        return _take(states, back)


class TransformerTrajectoryModel(TrajectoryModel):
    """With two layers of causal attention, which hears log dt and the time since the start."""

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__(input_size, units)
        self.time = nn.Linear(1 + 8, units)
        layer = nn.TransformerEncoderLayer(
            units, HEADS, 2 * units, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def states(self, x: Tensor, dt: Tensor, seen: Tensor) -> Tensor:
        """Return the states (B, T, H); no step sees a later or an unseen one."""
        order, back = _packed(seen)
        since = (dt * seen).cumsum(dim=1)[..., None]
        rates = 2.0 ** torch.arange(-2, 2, device=x.device)
        told = [_heard(dt), torch.sin(since * rates * 3), torch.cos(since * rates * 3)]
        x = _take(x + self.time(torch.cat(told, dim=2)), order)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        found: Tensor = self.layer(x, mask=later)  # unseen steps are last: nobody sees them
        return _take(found, back)


MODELS: dict[str, type[TrajectoryModel]] = {
    "liquid": LiquidTrajectoryModel,
    "gru": GRUTrajectoryModel,
    "transformer": TransformerTrajectoryModel,
}


def make_trajectory_model(kind: str, input_size: int, parameters: int) -> TrajectoryModel:
    """Return a model of about so many parameters.

    Args:
        kind: One of ``KINDS``.
        input_size: Numbers of a step's features.
        parameters: As near to this as the width allows.
    """
    if kind not in MODELS:
        cure = "Choose one of them."
        raise ValueError(complain("kind", f"one of {', '.join(KINDS)}", repr(kind), cure))
    step = HEADS if kind == "transformer" else 1

    def count(number: int) -> int:
        with torch.device("meta"):
            return MODELS[kind](input_size, number * step).num_parameters

    above = bisect_left(range(2048 // step), parameters, lo=2, key=count)
    best = min((above - 1, above), key=lambda number: abs(count(number) - parameters))
    return MODELS[kind](input_size, best * step)


def num_features(axes: int) -> int:
    """Return how many numbers ``track_features`` gives for points of so many axes."""
    return axes * (4 + 2 * len(LAGS)) + 3


def track_features(t: Tensor, xyz: Tensor, sigma: Tensor, seen: Tensor) -> Tensor:
    """Return what a model hears of raw positions, (B, T, ``num_features(D)``).

    Positions about their mean over their spread; the velocity over each of ``LAGS`` steps, in
    spreads per second and in m/s, squashed; positions along the track's principal axes, over
    their spread, over their noise, and averaged over the noise, squashed; the logarithms of
    spread and noise, m. Where the origin is does not matter; that up is up does.

    Args:
        t: Stamps from the start, s, (B, T).
        xyz: Measured positions, (B, T, D); D is 3 m in space, or 2 or 4 of pixels over the focal
            length.
        sigma: Of one coordinate, (B, T).
        seen: (B, T) bool.
    """
    there = seen[..., None].float()
    count = there.sum(dim=1, keepdim=True).clamp_min(1)
    held = _held(seen)
    xyz, t, sigma = _take(xyz, held), t.gather(1, held), sigma.gather(1, held)
    about = xyz - (xyz * there).sum(dim=1, keepdim=True) / count
    spread = ((about.square() * there).sum(dim=(1, 2), keepdim=True) / count).sqrt() + 1e-4
    parts = [about / spread]
    for lag in LAGS:
        before = functional.pad(xyz, (0, 0, lag, 0), mode="replicate")[:, : xyz.shape[1]]
        span = t - functional.pad(t[:, None], (lag, 0), mode="replicate")[:, 0, : t.shape[1]]
        velocity = (xyz - before) / span.clamp_min(1e-3)[..., None]
        parts += [velocity / spread / 5, torch.tanh(velocity / 5)]
    along = _along_axes(about / spread, there)
    over = along * spread / sigma.clamp_min(1e-9)[..., None]
    smooth = functional.pad(over, (0, 0, SMOOTH - 1, 0), mode="replicate").unfold(1, SMOOTH, 1)
    parts += [along, torch.tanh(over / 4), torch.tanh(smooth.mean(dim=3) / 2)]
    noise = torch.log(sigma.clamp_min(1e-6))[..., None]
    size = torch.log(spread).expand_as(noise)
    parts += [size / 2, (noise + 4) / 2, (noise - size + 3) / 2]
    return torch.cat(parts, dim=2) * there


def _along_axes(about: Tensor, there: Tensor) -> Tensor:
    """Return centred points (B, T, D) along their principal axes, the least first.

    An axis points from where the track began to where it ended.
    """
    square = (about * there).transpose(1, 2) @ about
    axes = torch.linalg.eigh(square)[1]  # (B, D, D)
    along: Tensor = about @ axes
    way = along[:, -1:] - along[:, :1]
    return along * torch.where(way < 0, -1.0, 1.0)


def _heard(dt: Tensor) -> Tensor:
    """Return the logarithm of time steps for networks that have no time step, (B, T, 1)."""
    return torch.log(dt.clamp_min(1e-3))[..., None] / 3 + 1


def _packed(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the order (B, T) that puts seen steps first, and for each step where its state is.

    An unseen step takes the state of the last seen one; before the first, that of the first.
    """
    order = torch.argsort((~seen).to(torch.uint8), dim=1, stable=True)
    back = (seen.cumsum(dim=1) - 1).clamp_min(0)
    return order, back


def _held(seen: Tensor) -> Tensor:
    """Return the index of the last seen step at each step, (B, T); of the first before it."""
    number = torch.arange(seen.shape[1], device=seen.device).expand_as(seen)
    last = torch.where(seen, number, -1).cummax(dim=1).values
    first = seen.to(torch.uint8).argmax(dim=1, keepdim=True)
    return torch.where(last < 0, first, last)


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Return x (B, T, D) at steps (B, T)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
