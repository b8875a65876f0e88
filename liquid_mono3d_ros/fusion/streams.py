"""Two streams of a track, each with its own clock → one sequence of events in order of arrival."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from liquid_mono3d_ros.checks import complain

VIDEO, STATES = 512, 256
"""Numbers of a video feature, and of a state's."""
ROWS = ("video", "side", "video_stamp", "video_arrival", "video_seen")
COLUMNS = ("states", "state_stamp", "state_arrival", "state_seen")


@dataclass(frozen=True)
class Streams:
    """What is known of B tracks. Times are s, of one clock, from any start.

    Nothing is paired: each event of each stream has the time it tells of and the time it arrived.
    An event that is not seen is not there, whatever its numbers.

    Attributes:
        video: Features, (B, V, 512).
        side: Of the window they were seen in, over the focal length: 1 is 1 m at 1 m, (B, V).
        video_stamp: Exposure, (B, V).
        video_arrival: When they were at hand, (B, V).
        video_seen: (B, V) bool.
        states: Features of the filter's states, (B, K, 256), as ``TrajectoryEncoder`` makes them.
        state_stamp: (B, K).
        state_arrival: (B, K).
        state_seen: (B, K) bool.
    """

    video: Tensor
    side: Tensor
    video_stamp: Tensor
    video_arrival: Tensor
    video_seen: Tensor
    states: Tensor
    state_stamp: Tensor
    state_arrival: Tensor
    state_seen: Tensor

    def __post_init__(self) -> None:
        for name, names, width in (("video", ROWS, VIDEO), ("states", COLUMNS, STATES)):
            found = tuple(getattr(self, name).shape)
            if len(found) != 3 or found[0] != len(self.states) or found[2] != width:
                rule, cure = f"of shape (B, events, {width})", "Give both streams of each track."
                raise ValueError(complain(name, rule, f"shape {found}", cure))
            for other in names[1:]:
                if tuple(getattr(self, other).shape) != found[:2]:
                    rule = f"of shape {found[:2]}, as {name}"
                    got = f"shape {tuple(getattr(self, other).shape)}"
                    raise ValueError(complain(other, rule, got, "Give one number per event."))

    def only(self, stream: str) -> Streams:
        """Return the same with the other stream unseen; "video" or "states" is kept."""
        other = {"video": "state_seen", "states": "video_seen"}
        if stream not in other:
            got, cure = repr(stream), "Choose one of them."
            raise ValueError(complain("stream", "video or states", got, cure))
        hidden = torch.zeros_like(getattr(self, other[stream]))
        return dataclasses.replace(self, **{other[stream]: hidden})

    def take(self, rows: Tensor) -> Streams:
        """Return some of the tracks."""
        return Streams(*(value[rows] for value in vars(self).values()))


@dataclass(frozen=True)
class Events:
    """E = V + K events of B tracks in order of arrival; those that are not there come last.

    Attributes:
        x: Numbers of each, (B, E, H).
        is_video: Which stream it is of, (B, E) bool.
        dt: Since the event before arrived, s, (B, E); 0 of the first.
        age: From stamp to arrival, s, (B, E).
        seen: (B, E) bool.
    """

    x: Tensor
    is_video: Tensor
    dt: Tensor
    age: Tensor
    seen: Tensor


def merge(streams: Streams, video: Tensor, states: Tensor) -> Events:
    """Return the events of both streams in order of arrival; of two at once, the state first.

    Args:
        streams: For their times.
        video: Numbers of the events of the video, (B, V, H).
        states: Numbers of the states, (B, K, H).
    """
    seen = torch.cat([streams.state_seen, streams.video_seen], dim=1)
    arrival = torch.cat([streams.state_arrival, streams.video_arrival], dim=1)
    stamp = torch.cat([streams.state_stamp, streams.video_stamp], dim=1)
    order = torch.where(seen, arrival, torch.inf).argsort(dim=1, stable=True)  # (B, E)
    is_video = torch.arange(seen.shape[1], device=seen.device) >= states.shape[1]
    x = torch.cat([states, video], dim=1)
    there = seen.gather(1, order)
    arrived, told = arrival.gather(1, order), stamp.gather(1, order)
    dt = arrived.diff(dim=1, prepend=arrived[:, :1])
    return Events(
        x.gather(1, order[..., None].expand(-1, -1, x.shape[2])) * there[..., None],
        is_video.expand_as(seen).gather(1, order),
        torch.where(there, dt, 0.0),
        torch.where(there, arrived - told, 0.0),
        there,
    )
