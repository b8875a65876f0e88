"""Rendered scenes → what the fusions are taught with: video features, states, labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.fusion.reader import Moments
from liquid_mono3d_ros.fusion.slots import Slot
from liquid_mono3d_ros.fusion.trajectory_encoder import States
from liquid_mono3d_ros.synth.sights import (
    ATTRIBUTES,
    Sights,
    Staging,
    draw_sights,
    draw_sights_parallel,
)
from liquid_mono3d_ros.train.video_scores import to_clips
from liquid_mono3d_ros.video.encoder import VideoEncoder

SCENES = 2000
"""Rendered before they are encoded and their pixels let go."""
CLIPS = 64
"""Encoded at a time."""
NO_SLOT = tuple(name for name, one in ATTRIBUTES.items() if not one.slot)
"""What has no head of its own: only what was made from the picture can know it."""


@dataclass(frozen=True)
class Lessons:
    """N scenes of two objects.

    Attributes:
        moments: Of 2 N tracks, the two of a scene one after the other.
        label: Attribute → index of its value, (N, 2); -1 where it does not apply.
    """

    moments: Moments
    label: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.label["shape"])

    def take(self, scenes: Tensor) -> Lessons:
        """Return some of the scenes."""
        tracks = torch.stack([2 * scenes, 2 * scenes + 1], dim=1).flatten()
        label = {name: values[scenes] for name, values in self.label.items()}
        return Lessons(self.moments.take(tracks), label)

    def to(self, device: str) -> Lessons:
        """Return the same on a device."""
        m = self.moments
        states = States(*(value.to(device) for value in vars(m.states).values()))
        rest = {name: one.to(device) for name, one in vars(m).items() if isinstance(one, Tensor)}
        moments = dataclasses.replace(m, states=states, **rest)
        return Lessons(moments, {name: one.to(device) for name, one in self.label.items()})

    def on_time(self) -> Lessons:
        """Return the same as if nothing took time to arrive: both streams have one clock."""
        m = self.moments
        states = dataclasses.replace(m.states, arrival=m.states.stamp)
        return Lessons(
            dataclasses.replace(m, video_arrival=m.video_stamp, states=states), self.label
        )

    def content(self) -> dict[str, dict[str, Tensor]]:
        """Return what ``of_content`` builds it from again."""
        m = self.moments
        rest = {name: one for name, one in vars(m).items() if isinstance(one, Tensor)}
        return {"video": rest, "states": dict(vars(m.states)), "label": self.label}

    @classmethod
    def of_content(cls, content: Mapping[str, dict[str, Tensor]]) -> Lessons:
        """Build it from what ``content`` returned."""
        states = States(**content["states"])
        return cls(Moments(**content["video"], states=states), dict(content["label"]))


def slots() -> dict[str, Slot]:
    """Return the attributes that have a head."""
    return {name: Slot(one.values, one.pair) for name, one in ATTRIBUTES.items() if one.slot}


def draw_lessons(
    staging: Staging, n: int, seed: int, encoder: VideoEncoder, workers: int = 1
) -> Lessons:
    """Render scenes and encode what is seen of them; the pixels are let go.

    Args:
        staging: Conditions of the scenes.
        n: How many.
        seed: Of the scenes.
        encoder: Trained; on its own device.
        workers: Processes that render.
    """
    parts = []
    for number, first in enumerate(range(0, n, SCENES)):
        count = min(SCENES, n - first)
        own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        sights = (
            draw_sights(staging, count, own)
            if workers <= 1
            else draw_sights_parallel(staging, count, own, workers)
        )
        parts.append(encoded(sights, encoder))
    return joined(parts)


def joined(parts: list[Lessons]) -> Lessons:
    """Return the scenes of several in one."""
    contents = [part.content() for part in parts]
    return Lessons.of_content(
        {
            kind: {
                name: torch.cat([c[kind][name] for c in contents]) for name in contents[0][kind]
            }
            for kind in contents[0]
        }
    )


@torch.no_grad()
def encoded(sights: Sights, encoder: VideoEncoder) -> Lessons:
    """Return what an encoder makes of scenes, on the CPU; features in float16."""
    frames, times = packed(sights, encoder.design.time_stride)
    device = str(next(encoder.parameters()).device)
    parts = [
        encoder(to_clips(frames[first : first + CLIPS], device))[0].half().cpu()
        for first in range(0, len(frames), CLIPS)
    ]
    return lessons_of(sights, torch.cat(parts), times)


def packed(sights: Sights, stride: int) -> tuple[Array, dict[str, Array]]:
    """Return the frames of every object that were seen, and the times of its latent steps.

    The encoder hears of seen frames alone, so they come first, and the latent step j is made when
    the ``j stride``-th of them arrives.

    Returns:
        Frames (2 N, V, 64, 64, 3), those after the last seen one of no account; and ``Moments``'
        side, video_stamp, video_arrival and video_seen, each (2 N, V').
    """
    n, objects, num = sights.seen.shape
    seen = sights.seen.reshape(n * objects, num)
    order = np.argsort(~seen, axis=1, kind="stable")
    frames = sights.crops.reshape(n * objects, *sights.crops.shape[2:])
    frames = np.take_along_axis(frames, order[..., None, None, None], axis=1)
    steps = order[:, ::stride]
    each = {
        "side": sights.side.reshape(n * objects, num),
        "video_stamp": np.repeat(sights.video_stamp, objects, axis=0),
        "video_arrival": np.repeat(sights.video_arrival, objects, axis=0),
    }
    times = {name: np.take_along_axis(one, steps, axis=1) for name, one in each.items()}
    count = seen.sum(axis=1, keepdims=True)
    times["video_seen"] = np.arange(0, num, stride) < count
    return frames, times


def lessons_of(sights: Sights, video: Tensor, times: Mapping[str, Array]) -> Lessons:
    """Return the lessons of scenes whose video features are known, (2 N, V', 512)."""
    objects = sights.seen.shape[1]

    def number(values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32)

    def tracks(values: Array) -> Tensor:
        return number(values.reshape(-1, *values.shape[2:]))

    stamp, arrival = (
        number(np.repeat(one, objects, axis=0))
        for one in (sights.state_stamp, sights.state_arrival)
    )
    states = States(
        tracks(sights.xyz),
        tracks(sights.velocity),
        tracks(sights.covariance),
        tracks(sights.range),
        stamp,
        arrival,
        torch.ones(stamp.shape, dtype=torch.bool),
    )
    rest = {name: number(one) for name, one in times.items() if name != "video_seen"}
    seen = torch.as_tensor(times["video_seen"])
    label = {name: torch.as_tensor(one) for name, one in sights.label.items()}
    return Lessons(Moments(video=video, states=states, video_seen=seen, **rest), label)
