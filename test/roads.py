"""A recording of the road made by hand: one object, two cameras, known everything."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from liquid_mono3d_ros.bench.recordings import NodeHealth, RoadRecording
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.language.history import TrackHistory
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.records import (
    SECOND,
    FilterKind,
    Health,
    Kind,
    Points3D,
    Prediction,
    Sighting,
    State,
    Tracks2D,
    Trajectories,
    Trajectory,
    nanoseconds,
)
from liquid_mono3d_ros.synth.rigs import stereo_rig

RATE = 30.0
Motion = Callable[[float], Sequence[float]]


def circle(t: float) -> tuple[float, float, float]:
    """Once around in 4 s, 0.5 m wide: 0.785 m/s."""
    angle = math.pi * t / 2
    return 3.0 + 0.5 * math.cos(angle), 0.5 * math.sin(angle), 1.0


def line(t: float) -> tuple[float, float, float]:
    """To the left and up, 0.5 m/s."""
    return 3.0, -0.5 + 0.4 * t, 0.8 + 0.3 * t


def zigzag(t: float) -> tuple[float, float, float]:
    """Left for a second, then right: 0.6 m/s."""
    return 3.0, 0.6 * abs(t - 1.5), 1.0


def bouncing(t: float) -> tuple[float, float, float]:
    """Falls and rises every second, at up to 2.9 m/s."""
    phase = t % 1.0 - 0.5
    return 3.0 + 0.2 * t, 0.0, 0.2 + 4.9 * (0.25 - phase**2) / 2


def stopping(t: float) -> tuple[float, float, float]:
    """Left at 0.5 m/s, with a rest of 1.2 s."""
    return 3.0, 0.5 * min(t, 1.0) + 0.5 * max(t - 2.2, 0.0), 1.0


@functools.cache
def road(
    motion: Motion = line, duration: float = 3.0, *, sigma: float = 0.005, residual_px: float = 0.5
) -> RoadRecording:
    """Return what the road would publish of an object that it measures without error.

    Each camera's residual has the length ``residual_px``.
    """
    rig = stereo_rig()
    stamps = [SECOND + nanoseconds(k / RATE) for k in range(round(duration * RATE) + 1)]
    history = TrackHistory(np.eye(3), np.zeros(3), z_up=True, frame_id="world")
    points, updates, facts = [], [], []
    for number, stamp in enumerate(stamps):
        t = number / RATE
        xyz = np.array(motion(t))
        velocity = (np.array(motion(t + 1e-4)) - np.array(motion(t - 1e-4))) / 2e-4
        points.append(_points(stamp, xyz, sigma, rig, residual_px))
        state = _state(stamp, xyz, velocity, sigma)
        history.add(state)
        updates.append(Trajectories(stamp, "world", 0, (state,)))
        if number > 1:
            facts.append(compute_facts(history, FactsSettings()))
    values = {"state": "active", "count written": "7"}
    return RoadRecording(
        tracks2d=_tracks2d(rig, stamps, motion),
        points3d=points,
        trajectories=updates,
        posed=frozenset(stamps),
        facts=facts,
        descriptions=[TemplateBackend().describe(facts[-1])],
        health={
            "player": NodeHealth(0, "good", {**values, "play_rate": "0.25"}),
            "recorder": NodeHealth(0, "good", values),
            "tracking": NodeHealth(
                1, "slow", {"/left/image_raw received": str(len(stamps)), "count overrun": "2"}
            ),
        },
    )


def _state(stamp: int, xyz: Array, velocity: Array, sigma: float) -> Trajectory:
    after = nanoseconds(0.5)
    return Trajectory(
        stamp=stamp,
        track_id=7,
        epoch=0,
        state=State.CONFIRMED,
        measured=True,
        xyz=xyz,
        velocity=velocity,
        covariance=np.diag([sigma**2] * 3 + [(10 * sigma) ** 2] * 3),
        filter=FilterKind.IMM,
        health=Health.GOOD,
        last_measured=stamp,
        num_cameras=2,
        predictions=(Prediction(after, xyz + 0.5 * velocity, 0.04 * np.eye(3)),),
    )


def _points(stamp: int, xyz: Array, sigma: float, rig: Rig, residual_px: float) -> Points3D:
    sightings = tuple(
        Sighting(name, 3, stamp, np.array([0.6, -0.8]) * residual_px, True) for name in rig.cameras
    )
    unknown = np.full((1, 3), np.nan)
    return Points3D(
        stamp=stamp,
        frame_id="world",
        epoch=0,
        track_id=np.array([7], np.uint64),
        kind=np.array([Kind.POINT], np.uint8),
        xyz=xyz[None],
        covariance=sigma**2 * np.eye(3)[None],
        systematic_covariance=np.zeros((1, 3, 3)),
        ray_origin=unknown,
        ray_direction=unknown,
        ray_covariance=np.full((1, 2, 2), np.nan),
        reprojection_error_px=np.array([residual_px]),
        parallax_rad=np.array([0.1]),
        sightings=(sightings,),
    )


def _tracks2d(rig: Rig, stamps: Sequence[int], motion: Motion) -> dict[str, list[Tracks2D]]:
    tracks = {}
    for name, camera in rig.cameras.items():
        xyz = np.array([motion((stamp - SECOND) / SECOND) for stamp in stamps])
        pixels = camera.project(xyz)
        tracks[name] = [
            Tracks2D(
                camera=name,
                stamp=stamp,
                width=camera.width,
                height=camera.height,
                epoch=0,
                track_id=np.array([3], np.uint64),
                uv=uv[None],
                covariance=np.eye(2)[None],
                velocity=np.full((1, 2), np.nan),
                bbox=np.full((1, 4), np.nan),
                score=np.full(1, np.nan),
                state=np.array([State.CONFIRMED], np.uint8),
                measured=np.array([True]),
                class_id=("",),
                frame_id=camera.frame_id,
            )
            for stamp, uv in zip(stamps, pixels, strict=True)
        ]
    return tracks
