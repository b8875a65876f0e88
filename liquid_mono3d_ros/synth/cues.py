"""What each stream could know at best, as numbers without noise, from the generator itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.appearances import Appearances, draw_appearances
from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.encounters import OBJECTS, Encounters, draw_encounters
from liquid_mono3d_ros.synth.staging import Staging
from liquid_mono3d_ros.synth.truths import label_motions

NEIGHBOURS = 40
"""That vote."""


@dataclass(frozen=True)
class Cues:
    """Of N scenes.

    Attributes:
        image: What the pictures tell, (N, 2, A): extent and speed in the picture, their course,
            how straight the way is in it, whether and when it flashes.
        timing: What is left of it where something flashes before a plain wall, (N, 2, B).
        space: What the states tell, (N, 2, C): distance, speed, climb, displacement, straightness,
            kind of motion, when it is highest.
        label: As in ``Sights``, without what only a drawn crop decides.
    """

    image: Array
    timing: Array
    space: Array
    label: dict[str, Array]


def draw_cues(staging: Staging, n: int, seed: int) -> Cues:
    """Draw scenes as ``draw_sights`` does, and read the cues instead of rendering."""
    rng = staging.generator(seed)
    encounters = draw_encounters(staging, n, rng)
    appearances = draw_appearances(encounters, rng)
    motions, _ = label_motions(encounters, appearances.colour)
    t = encounters.duration * np.linspace(0, 1, 41)
    xyz, velocity = encounters.at(np.repeat(t[None], n, axis=0))
    image, timing = _image_cues(encounters, appearances, xyz, t)
    space = _space_cues(encounters, xyz, velocity, t)
    return Cues(image, timing, space, {**motions, **appearances.labels})


def ceilings(staging: Staging, n: int = 6000, seed: int = 0) -> dict[str, dict[str, float]]:
    """Return how often the best guess from one stream alone is right, for each attribute.

    Method: ``NEIGHBOURS`` nearest neighbours among half of n scenes vote on the others, on cues
    without noise. What the stream shows by definition is 1. Of the colour of the nearer, faster or
    rising object the pictures show both colours, so they have to guess which object it is; the
    states show which, so they have to guess a colour. Of a flash the pictures show when it was and
    how the extent changes, but, before a plain wall with a short exposure, no motion.

    Returns:
        Attribute → {"image": share right, "3d": share right, "chance": share of the commonest}.
    """
    cues = draw_cues(staging, n, seed)
    found = {}
    for name, attribute in ATTRIBUTES.items():
        label = cues.label[name]
        known = label >= 0
        chance = float(np.bincount(label[known]).max() / known.sum())
        image = cues.timing if name == "flash" else cues.image
        if attribute.pair:
            found[name] = {"image": _which(cues, name), "3d": chance, "chance": chance}
            continue
        best = {"image": 1.0, "3d": 1.0, "chance": chance}
        if attribute.stream != "image":
            best["image"] = max(chance, vote(image[known], label[known]))
        if attribute.stream != "3d":
            best["3d"] = max(chance, vote(cues.space[known], label[known]))
        found[name] = best
    return found


def vote(cues: Array, label: Array) -> float:
    """Return how often nearest neighbours are right: one half is judged by the other."""
    cues = (cues - cues.mean(axis=0)) / np.maximum(cues.std(axis=0), 1e-9)
    half = len(cues) // 2
    known, asked = cues[:half], cues[half : half + 2000]
    far = np.square(known).sum(axis=1) - 2 * asked @ known.T
    nearest = np.argpartition(far, min(NEIGHBOURS, half - 1), axis=1)[:, :NEIGHBOURS]
    votes = label[:half][nearest]
    counts = np.stack([(votes == value).sum(axis=1) for value in range(label.max() + 1)], axis=1)
    return float((counts.argmax(axis=1) == label[half : half + 2000]).mean())


def _which(cues: Cues, name: str) -> float:
    """Return how often the pictures tell which of the two objects it is."""
    label = cues.label[name][:, 0]
    mine = label >= 0
    first = (label == cues.label["colour"][:, 0]).astype(int)[mine]
    image = cues.image[mine]
    return max(0.5, vote(image[:, 0] - image[:, 1], first))


def _image_cues(
    encounters: Encounters, appearances: Appearances, xyz: Array, t: Array
) -> tuple[Array, Array]:
    uv, depth = encounters.picture(xyz)
    extent = np.log(encounters.size[..., None] / depth)
    steps = np.linalg.norm(np.diff(uv, axis=2), axis=3)  # (N, 2, T - 1)
    swift = np.log(steps.mean(axis=2) / (t[1] - t[0]))
    straight = np.linalg.norm(uv[:, :, -1] - uv[:, :, 0], axis=2) / steps.sum(axis=2)
    rest = (steps < 0.2 * steps.mean(axis=2, keepdims=True)).mean(axis=2)
    flash = np.nan_to_num(appearances.flash_time, nan=-1.0)
    course = [extent.mean(axis=2), *_course(extent, t)]
    image = [*course, swift, straight, rest, np.log(steps.max(axis=2) / steps.mean(axis=2)), flash]
    highest = t[np.abs(extent - extent.mean(axis=2, keepdims=True)).argmax(axis=2)]
    return np.stack(image, axis=2), np.stack([*course[1:], flash, highest], axis=2)


def _course(values: Array, t: Array) -> tuple[Array, Array]:
    """Return slope and bend of values (N, 2, T) over time."""
    fit = np.polynomial.polynomial.polyfit(t, values.reshape(-1, len(t)).T, 2)
    return fit[1].reshape(-1, OBJECTS), fit[2].reshape(-1, OBJECTS)


def _space_cues(encounters: Encounters, xyz: Array, velocity: Array, t: Array) -> Array:
    far = np.linalg.norm(xyz - encounters.centre[:, None, None], axis=3)
    speed = np.linalg.norm(velocity, axis=3)
    way = xyz[:, :, -1] - xyz[:, :, 0]
    straight = np.linalg.norm(way, axis=2) / np.maximum(speed.mean(axis=2) * t[-1], 1e-9)
    highest = t[xyz[..., 2].argmax(axis=2)]
    columns = [
        np.log(far).mean(axis=2),
        np.log(speed.mean(axis=2)),
        way[..., 2],
        straight,
        highest,
    ]
    return np.stack([*columns, encounters.motion.astype(float)], axis=2)
