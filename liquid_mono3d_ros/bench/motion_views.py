"""Motions seen by one camera, by two, and in 3D, with the helix's axis at every angle to the view.

The cameras look along z from the origin and from beside it. Families that feel gravity are left
out: here every direction is as good as another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.conditions import draw
from liquid_mono3d_ros.synth.motions import FAMILIES, UPRIGHT, draw_motions
from liquid_mono3d_ros.synth.random_rigs import rotation
from liquid_mono3d_ros.train.motion_tracks import NAMES, observable

RATE, DURATION, FOCAL = 30.0, 3.0, 800.0
"""Hz, s, px."""
NOISE, DISTANCE, BASELINE = (0.3, 2.0), (3.0, 12.0), (0.1, 0.3)
"""Pixel noise, px; distance of the motion's middle, m; distance of the cameras over that."""
BINS = (0, 15, 30, 45, 60, 75, 90)
"""Of the angle between axis and view, degrees."""
ROUND = ("circle", "helix")


@dataclass(frozen=True)
class Viewed:
    """N motions as one camera, two cameras and triangulation give them.

    Attributes:
        t: (N, T) s.
        points: By number of what sees it: "one view" (N, T, 2) and "two views" (N, T, 4) in
            pixels over the focal length, "3D" (N, T, 3) m.
        sigma: Of a coordinate of each, (N, T).
        label: Index into ``NAMES``, (N,).
        angle: Between the family's axis and the view, (N,) degrees.
        observable: In 3D, (N,) bool.
    """

    t: Array
    points: dict[str, Array]
    sigma: dict[str, Array]
    label: Array
    angle: Array
    observable: Array


def draw_viewed(n: int, seed: int) -> Viewed:
    """Return n motions; half are circles and helices, whose axes' angles are evenly spread."""
    rng = np.random.default_rng(seed)
    names = [name for name in NAMES if name not in UPRIGHT]
    family = np.array([FAMILIES.index(names[k]) for k in rng.integers(len(names), size=n)])
    family[::2] = [FAMILIES.index(ROUND[k]) for k in rng.integers(2, size=len(family[::2]))]
    motions = draw_motions(family, np.full(n, DURATION), rng)
    angle = np.arccos(1 - rng.random(n))  # rad, even over the sphere
    angle[::2] = np.pi / 2 * rng.random(len(angle[::2]))
    motions = replace(motions, turn=_turned(motions.turn, angle, rng))
    t = np.arange(round(RATE * DURATION)) / RATE + np.zeros((n, 1))
    xyz, velocity = motions.at(t)
    distance = np.maximum(draw(DISTANCE, n, rng, log=True), 1.6 * motions.radius + 0.5)
    baseline = (distance * draw(BASELINE, n, rng))[:, None]
    noise = (draw(NOISE, n, rng, log=True) / FOCAL)[:, None]
    xyz = xyz + distance[:, None, None] * np.array([0.0, 0.0, 1.0])
    first, second = (
        (xyz[..., :2] - away[..., None] * [1.0, 0.0]) / xyz[..., 2:]
        + noise[..., None] * rng.normal(size=(*t.shape, 2))
        for away in (0 * baseline, baseline)
    )
    depth = baseline / np.maximum(first[..., 0] - second[..., 0], 1e-3)
    across = (first[..., 1] + second[..., 1]) / 2
    located = np.stack([first[..., 0] * depth, across * depth, depth], axis=2)
    sigma = noise * np.hypot(depth, depth**2 / baseline)
    order = np.full(len(FAMILIES), -1)
    order[[FAMILIES.index(name) for name in NAMES]] = np.arange(len(NAMES))
    label = order[family]
    shows = observable(label, motions.turn, t, xyz, velocity, np.median(sigma, axis=1) * 3**0.5)
    flat = noise + 0 * t
    return Viewed(
        t,
        {"one view": first, "two views": np.concatenate([first, second], axis=2), "3D": located},
        {"one view": flat, "two views": flat, "3D": sigma},
        label,
        np.rad2deg(angle),
        shows,
    )


def rows(
    *, tracks: int, n: int, steps: int, parameters: int, device: str, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Train a liquid model on each kind of view; yield the accuracy on helices over the angle.

    Args:
        tracks: To learn from.
        n: To score.
        steps: Of the optimiser.
        parameters: Of each model, about.
        device: "cpu" or "cuda".
        seed: Of weights and tracks.
    """
    import torch

    from liquid_mono3d_ros.train.motion_training import (
        Batch,
        MotionRecipe,
        MotionTraining,
        named,
    )

    given, unseen = draw_viewed(tracks, 2 * seed), draw_viewed(n, 2 * seed + 1)
    recipe = MotionRecipe(steps=steps, parameters=parameters, persistence=0.0, missing=0.0)

    def batch(viewed: Viewed, kind: str, place: str) -> Batch:
        arrays = (viewed.t, viewed.points[kind], viewed.sigma[kind])
        t, x, sigma = (torch.as_tensor(one, dtype=torch.float32, device=place) for one in arrays)
        seen = torch.ones(viewed.t.shape, dtype=torch.bool, device=place)
        return Batch(t, x, sigma, seen, torch.as_tensor(viewed.label, device=place))

    helix = list(NAMES.values()).index("helix")
    for kind in given.points:
        training = MotionTraining(recipe, "liquid", seed, batch(given, kind, device), device)
        right = named(training.train(silent), batch(unseen, kind, "cpu")) == unseen.label
        counted = unseen.observable & (unseen.label == helix)
        row: dict[str, Any] = {"input": kind, "helices": int(counted.sum())}
        for low, high in pairwise(BINS):
            those = counted & (unseen.angle >= low) & (unseen.angle < high)
            row[f"{low}_to_{high}_deg_percent"] = 100 * float(np.mean(right[those]))
        yield row


def silent(step: int, seconds: float, loss: float) -> None:
    """Take no note of a training's progress."""


def _turned(turn: Array, angle: Array, rng: np.random.Generator) -> Array:
    """Return turns of the same scale whose third axis is at angles to z, anyhow otherwise."""
    scale = np.cbrt(np.linalg.det(turn))
    axis, zero = rng.uniform(0, 2 * np.pi, len(angle)), np.zeros(len(angle))
    tilt = rotation(angle[:, None] * np.stack([np.cos(axis), np.sin(axis), zero], axis=1))
    roll = rotation(np.stack([zero, zero, rng.uniform(0, 2 * np.pi, len(angle))], axis=1))
    flip = np.where(rng.random(len(angle)) < 0.5, np.pi, 0.0)
    over = rotation(np.stack([flip, zero, zero], axis=1))
    return np.asarray(scale[:, None, None] * (tilt @ over @ roll))
