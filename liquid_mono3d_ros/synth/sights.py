"""Rendered scenes with truth: what a camera shows of two objects, what the filter says of them.

``draw_sights`` goes from random motions before a random rig to the crops that the reference camera
gives of each object and to the states that the filter gives; every crop and state has the time it
tells of and the time it arrives. The labels say what is true.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.synth.appearances import draw_appearances
from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.encounters import draw_encounters
from liquid_mono3d_ros.synth.estimates import draw_estimates
from liquid_mono3d_ros.synth.shooting import shoot
from liquid_mono3d_ros.synth.staging import VERSION, Staging
from liquid_mono3d_ros.synth.truths import label_motions
from liquid_mono3d_ros.synth.windows import CROP

__all__ = ["ATTRIBUTES", "VERSION", "Sights", "Staging", "draw_sights", "draw_sights_parallel"]

CHUNK = 20
"""Scenes drawn from one seed."""


@dataclass(frozen=True)
class Sights:
    """N scenes of O = 2 objects, V video frames, K states. Times are s from the scene's start.

    Attributes:
        crops: RGB, (N, O, V, 64, 64, 3) uint8; black where not seen.
        side: Of the window, over the focal length: 1 is 1 m at 1 m, (N, O, V); 0 where not seen.
        seen: There is a crop, (N, O, V) bool.
        video_stamp: Exposure of the crops, (N, V) s.
        video_arrival: When they are at hand, (N, V) s, not decreasing.
        xyz: As filtered, world frame, z up, (N, O, K, 3) m.
        velocity: As filtered, (N, O, K, 3) m/s.
        covariance: Of position and velocity, (N, O, K, 6, 6).
        range: From the camera of the crops to ``xyz``, (N, O, K) m.
        state_stamp: (N, K) s.
        state_arrival: (N, K) s, not decreasing.
        label: Index into the words of each of ``ATTRIBUTES``, (N, O) int64; -1 where it does not
            apply. Those of pairs stand at object 0.
        amount: What the labels rest on: true "size" m, mean "speed" m/s, "climb" m from start to
            end, mean "range" m, "flash_time" s (NaN without); each (N, O).
        truth: True position and velocity at the stamps of the states, (N, O, K, 6).
    """

    crops: Array
    side: Array
    seen: Array
    video_stamp: Array
    video_arrival: Array
    xyz: Array
    velocity: Array
    covariance: Array
    range: Array
    state_stamp: Array
    state_arrival: Array
    label: dict[str, Array]
    amount: dict[str, Array]
    truth: Array

    def __post_init__(self) -> None:
        letters = check_shape("crops", self.crops, ("N", "O", "V", CROP, CROP, 3))
        n, o, v = letters["N"], letters["O"], letters["V"]
        k = check_shape("state_stamp", self.state_stamp, (n, "K"))["K"]
        for name in ("side", "seen"):
            check_shape(name, getattr(self, name), (n, o, v))
        for name in ("video_stamp", "video_arrival"):
            check_shape(name, getattr(self, name), (n, v))
        for name in ("xyz", "velocity"):
            check_shape(name, getattr(self, name), (n, o, k, 3))
        check_shape("covariance", self.covariance, (n, o, k, 6, 6))
        check_shape("truth", self.truth, (n, o, k, 6))
        check_shape("range", self.range, (n, o, k))
        check_shape("state_arrival", self.state_arrival, (n, k))
        for name, values in (*self.label.items(), *self.amount.items()):
            check_shape(name, values, (n, o))

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def version(self) -> str:
        """Of the scenes: another one draws other scenes from the same seed."""
        return VERSION

    def take(self, rows: Array | slice) -> Sights:
        """Return some of the scenes, by index, mask or slice."""
        chosen: dict[str, Any] = {n: _rows(values, rows) for n, values in vars(self).items()}
        return Sights(**chosen)

    def digest(self) -> str:
        """Return the sha256 of version and values, in hexadecimal.

        Another machine or library may round the last digits otherwise; the digest tells.
        """
        total = hashlib.sha256(VERSION.encode())
        for name, values in vars(self).items():
            inner = values if isinstance(values, dict) else {"": values}
            for key, part in inner.items():
                total.update(f"{name} {key} {part.dtype.str} {part.shape}".encode())
                total.update(np.ascontiguousarray(part).tobytes())
        return total.hexdigest()


def _rows(values: Array | dict[str, Array], rows: Array | slice) -> Array | dict[str, Array]:
    if isinstance(values, dict):
        return {name: part[rows] for name, part in values.items()}
    return np.asarray(values[rows])


def joined(parts: list[Sights]) -> Sights:
    """Return the scenes of several draws in one."""
    rows = [vars(part) for part in parts]
    merged: dict[str, Any] = {}
    for name, first in rows[0].items():
        if isinstance(first, dict):
            merged[name] = {key: np.concatenate([row[name][key] for row in rows]) for key in first}
        else:
            merged[name] = np.concatenate([row[name] for row in rows])
    return Sights(**merged)


def draw_sights(staging: Staging, n: int, seed: int) -> Sights:
    """Return n scenes drawn from a seed; fewer of the same seed are the first of them."""
    return _cut([_draw_chunk(k, staging, seed) for k in range(_num_chunks(n))], n)


def draw_sights_parallel(staging: Staging, n: int, seed: int, processes: int) -> Sights:
    """Return what ``draw_sights`` returns, drawn by several processes.

    They start afresh, so a script that calls this keeps its own work under
    ``if __name__ == "__main__"``.
    """
    if processes < 1:
        cure = "Give the number of processes."
        raise ValueError(complain("processes", "at least 1", str(processes), cure))
    task = partial(_draw_chunk, staging=staging, seed=seed)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return _cut(list(pool.map(task, range(_num_chunks(n)))), n)


def _num_chunks(n: int) -> int:
    if n < 1:
        raise ValueError(complain("n", "at least 1", str(n), "Give the number of scenes."))
    return -(-n // CHUNK)


def _cut(chunks: list[Sights], n: int) -> Sights:
    return joined(chunks).take(slice(n))


def _draw_chunk(number: int, staging: Staging, seed: int) -> Sights:
    cv2.setNumThreads(1)
    rng = staging.generator(seed, number)
    encounters = draw_encounters(staging, CHUNK, rng)
    appearances = draw_appearances(encounters, rng)
    video_stamp, video_arrival = _video_times(staging, rng)
    state_stamp, state_arrival = _state_times(staging, rng)
    states, covariance = draw_estimates(encounters, state_stamp, staging, rng)
    shots = shoot(encounters, appearances, staging, video_stamp, rng)
    motions, amounts = label_motions(encounters, appearances.colour)
    labels = {**motions, **shots.labels}
    amounts["flash_time"] = appearances.flash_time
    far = np.linalg.norm(states[..., :3] - encounters.centre[:, None, None], axis=3)
    return Sights(
        crops=shots.crops,
        side=shots.side,
        seen=shots.seen,
        video_stamp=video_stamp,
        video_arrival=video_arrival,
        xyz=states[..., :3].astype(np.float32),
        velocity=states[..., 3:].astype(np.float32),
        covariance=covariance.astype(np.float32),
        range=far.astype(np.float32),
        state_stamp=state_stamp,
        state_arrival=state_arrival,
        label={name: labels[name].astype(np.int64) for name in ATTRIBUTES},
        amount={name: values.astype(np.float32) for name, values in amounts.items()},
        truth=np.concatenate(encounters.at(state_stamp), axis=3).astype(np.float32),
    )


def _video_times(staging: Staging, rng: np.random.Generator) -> tuple[Array, Array]:
    number = np.arange(staging.num_frames) + 0.5
    jitter = np.clip(rng.normal(size=(CHUNK, len(number))), -2, 2)
    phase = rng.uniform(-0.4, 0.4, (CHUNK, 1))
    stamp = (number + phase + staging.video_jitter * jitter) / staging.video_rate
    delay = rng.uniform(*staging.video_delay, (CHUNK, 1)) + staging.video_delay_jitter * np.clip(
        rng.normal(size=stamp.shape), -2, 2
    )
    arrival = np.maximum.accumulate(stamp + np.maximum(delay, 0.0), axis=1)
    return stamp, arrival


def _state_times(staging: Staging, rng: np.random.Generator) -> tuple[Array, Array]:
    num, half = staging.num_states, staging.state_jitter
    gaps = rng.uniform(1 - half, 1 + half, (CHUNK, num + 1))
    stamp = staging.duration * (np.cumsum(gaps, axis=1) / gaps.sum(axis=1, keepdims=True))[:, :-1]
    arrival = stamp + rng.uniform(*staging.state_delay, stamp.shape)
    return stamp, np.maximum.accumulate(arrival, axis=1)
