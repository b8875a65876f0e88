"""What all fusions share: streams → embedding and hidden sequence; only the middle differs."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.fusion.streams import STATES, VIDEO, Events, Streams, merge

CLOCK = 3
"""Numbers that tell an event's dt, age and stream."""


class Fuses(Protocol):
    """Any fusion."""

    def __call__(self, streams: Streams) -> tuple[Tensor, Tensor]:
        """Return the embedding (B, D), and it as it was after each event, (B, E, D)."""


class Fusion(nn.Module):
    """Adapters → events in order of arrival → states → last, mean and largest so far → embedding.

    Nothing is kept on the module between two calls, and no later event moves an earlier state.

    Args:
        embedding: D, the language model's hidden size.
        units: H, width of events and states.
    """

    summaries = 3
    """Numbers of a neuron's past that the embedding is read from."""

    def __init__(self, embedding: int, units: int) -> None:
        super().__init__()
        self.embedding, self.units = embedding, units
        self.video = nn.Linear(VIDEO + 1, units)
        self.state = nn.Linear(STATES, units)
        self.out = nn.Linear(self.summaries * units, embedding)

    def states(self, x: Tensor, events: Events) -> Tensor:
        """Return the states (B, E, H) after inputs (B, E, H + ``CLOCK``)."""
        raise NotImplementedError

    def forward(self, streams: Streams) -> tuple[Tensor, Tensor]:
        """Return the embedding (B, D), and it as it was after each event, (B, E, D)."""
        events, past = self._past(streams)
        hidden = self.out(past)
        return after_last(hidden, events.seen), hidden

    def embed(self, streams: Streams) -> Tensor:
        """Return the embedding alone, (B, D), for less work."""
        events, past = self._past(streams)
        found: Tensor = self.out(after_last(past, events.seen))
        return found

    @property
    def num_parameters(self) -> int:
        """Numbers that training can move."""
        return sum(p.numel() for p in self.parameters())

    def clocked(self, streams: Streams) -> Events:
        """Return the adapted events in order of arrival; x is (B, E, H + ``CLOCK``)."""
        side = torch.log(streams.side.clamp_min(1e-4))[..., None] + 2.5
        video = functional.silu(self.video(torch.cat([streams.video, side], dim=2)))
        events = merge(streams, video, functional.silu(self.state(streams.states)))
        return dataclasses.replace(events, x=torch.cat([events.x, clock(events)], dim=2))

    def _past(self, streams: Streams) -> tuple[Events, Tensor]:
        events = self.clocked(streams)
        return events, self.summarise(self.states(events.x, events), events)

    def summarise(self, h: Tensor, events: Events) -> Tensor:
        """Return last, mean and largest of the states so far, (B, E, 3 H)."""
        seen = events.seen[..., None]
        h = h * seen
        mean = h.cumsum(dim=1) / seen.cumsum(dim=1).clamp_min(1)
        most = h.masked_fill(~seen, -torch.inf).cummax(dim=1).values
        return torch.cat([h, mean, most.masked_fill(most.isinf(), 0)], dim=2)


def clock(events: Events) -> Tensor:
    """Return dt and age, on scales that a network can use, and the stream, (B, E, 3)."""
    dt = (torch.log(events.dt.clamp_min(1e-4)) + 4.5) / 2
    told = torch.stack([dt, 5 * events.age, events.is_video.to(dt.dtype)], dim=2)
    return told * events.seen[..., None]


def after_last(values: Tensor, seen: Tensor) -> Tensor:
    """Return the values (B, D) after the last event there is; of none, after the first."""
    index = (seen.sum(dim=1) - 1).clamp_min(0)
    return values[torch.arange(len(values), device=values.device), index]
