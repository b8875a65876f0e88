"""States of the filter → features of 256 numbers, each of its state and those before it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.streams import STATES

LAGS = (4, 12, 30)
"""States over which the velocity's change is told."""
NUMBERS = 3 * (3 + 2 * len(LAGS)) + 6 + 3 + 4


@dataclass(frozen=True)
class States:
    """K states of each of B tracks, in order of their stamps.

    Attributes:
        xyz: As filtered, z up, (B, K, 3) m; where the origin is does not matter.
        velocity: (B, K, 3) m/s.
        covariance: Of position and velocity, (B, K, 6, 6).
        range: From the camera of the crops, (B, K) m.
        stamp: (B, K) s.
        arrival: (B, K) s.
        seen: (B, K) bool.
    """

    xyz: Tensor
    velocity: Tensor
    covariance: Tensor
    range: Tensor
    stamp: Tensor
    arrival: Tensor
    seen: Tensor

    def take(self, rows: Tensor) -> States:
        """Return some of the tracks."""
        return States(*(value[rows] for value in vars(self).values()))


class TrajectoryEncoder(nn.Module):
    """States → (B, K, 256): what ``state_numbers`` tells of each, through two layers.

    Causal: a later state never moves the feature of an earlier one.

    Args:
        units: Width between the layers.
    """

    def __init__(self, units: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(NUMBERS, units), nn.SiLU(), nn.Linear(units, STATES), nn.SiLU()
        )

    def forward(self, states: States) -> Tensor:
        """Return features (B, K, 256), 0 where there is no state."""
        found: Tensor = self.layers(state_numbers(states))
        return found * states.seen[..., None]


def state_numbers(states: States) -> Tensor:
    """Return what the encoder hears of states, (B, K, ``NUMBERS``), each about one or less.

    Position from the first seen state; velocity, squashed; displacement and change of velocity
    over ``LAGS``; logarithms of the six sigmas; correlations of the position's axes; speed, range
    and dt as logarithms, and the way from the start.
    """
    if states.xyz.ndim != 3 or states.velocity.shape != states.xyz.shape:
        rule, got = "of shape (B, K, 3), as xyz", f"shape {tuple(states.velocity.shape)}"
        raise ValueError(complain("velocity", rule, got, "Give one state per stamp."))
    held, first = _seen_so_far(states.seen)
    xyz, velocity = _at(states.xyz, held), _at(states.velocity, held)
    stamp, far = states.stamp.gather(1, held), states.range.gather(1, held)
    covariance = _at(states.covariance.flatten(2), held).unflatten(2, (6, 6))
    relative = xyz - _at(states.xyz, first)
    parts = [torch.tanh(relative / 3), torch.tanh(velocity / 3)]
    for lag in LAGS:
        before = (torch.arange(held.shape[1], device=held.device) - lag).clamp_min(0)
        span = (stamp - stamp[:, before]).clamp_min(1e-3)[..., None]
        way = xyz - xyz[:, before]
        parts += [torch.tanh(way), torch.tanh((velocity - velocity[:, before]) / span / 10)]
    sigma = covariance.diagonal(dim1=2, dim2=3).clamp_min(1e-12).sqrt()
    cross = covariance[..., (0, 0, 1), (1, 2, 2)]
    beside = sigma[..., (0, 0, 1)] * sigma[..., (1, 2, 2)]
    dt = stamp.diff(dim=1, prepend=stamp[:, :1])
    parts += [relative / 10, (torch.log(sigma) + 3) / 2, cross / beside]
    lengths = [velocity.norm(dim=2), far, dt, relative.norm(dim=2)]
    floors, middles = (0.03, 0.1, 1e-3, 0.01), (0.0, 2.0, -4.0, 0.0)
    parts += [
        ((torch.log(one.clamp_min(floor)) - middle) / 1.5)[..., None]
        for one, floor, middle in zip(lengths, floors, middles, strict=True)
    ]
    return torch.cat(parts, dim=2) * states.seen[..., None]


def _seen_so_far(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index of the last seen state up to each, and of the first, (B, K)."""
    number = torch.arange(seen.shape[1], device=seen.device).expand_as(seen)
    first = seen.int().argmax(dim=1, keepdim=True)
    last = torch.where(seen, number, -1).cummax(dim=1).values
    return torch.maximum(last, first), first.expand_as(last)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return values (B, K, D) at indices (B, K)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
