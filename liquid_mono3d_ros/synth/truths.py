"""The words that are true of a motion, each decided by a margin or not at all.

What falls freely has no size here: how long it falls would tell its distance to the picture too.
"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.acts import FREE
from liquid_mono3d_ros.synth.attributes import MOTIONS
from liquid_mono3d_ros.synth.encounters import OBJECTS, SIZES, THEMES, Encounters

SLOW, FAST = (0.0, 0.6), (2.1, 99.0)
MEDIUM = (0.85, 1.5)
"""Mean speeds, m/s."""
FAR = 0.25
"""Least displacement that has a direction, m, and least rise or fall."""
LEVEL = 0.06
"""Largest rise or fall of what stays level, m."""
DOMINANT = 1.4
"""Largest component of a displacement over the next one, at least."""


def label_motions(
    encounters: Encounters, colour: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return labels and the amounts they rest on, each (N, 2)."""
    n = len(encounters.theme)
    t = encounters.duration * np.linspace(0, 1, 41) + np.zeros((n, 1))
    xyz, velocity = encounters.at(t)
    speed = np.linalg.norm(velocity, axis=3).mean(axis=2)
    way = xyz[:, :, -1] - xyz[:, :, 0]
    reach = np.linalg.norm(xyz - encounters.centre[:, None, None], axis=3).mean(axis=2)
    amounts = {
        "size": encounters.size,
        "speed": speed,
        "climb": way[..., 2],
        "range": reach,
    }
    plain = (encounters.theme == THEMES.index("plain"))[:, None]
    falls = np.isin(encounters.motion, [MOTIONS.index(name) for name in FREE])
    labels = {
        "motion": encounters.motion.copy(),
        "speed": _between(speed, (SLOW, MEDIUM, FAST)),
        "direction": _direction(way, speed * encounters.duration),
        "height": _height(way[..., 2]),
        "size": np.where(plain & ~falls, _between(encounters.size, SIZES), -1),
    }
    for name, amount, sense in (
        ("nearer", reach, -1.0),
        ("faster", speed, 1.0),
        ("rising", way[..., 2], 1.0),
    ):
        mine = encounters.theme == THEMES.index(name)
        chosen = (sense * amount).argmax(axis=1)[:, None]
        word = np.take_along_axis(colour, chosen, axis=1)[:, 0]
        label = np.full((n, OBJECTS), -1)
        label[:, 0] = np.where(mine, word, -1)
        labels[f"{name}_colour"] = label
    return labels, amounts


def _between(value: Array, bands: tuple[tuple[float, float], ...]) -> Array:
    label = np.full(value.shape, -1)
    for index, (low, high) in enumerate(bands):
        label[(value >= low) & (value <= high)] = index
    return label


def _direction(way: Array, length: Array) -> Array:
    """Return the axis and sense of the largest component, (N, 2)."""
    size = np.abs(way)
    order = np.sort(size, axis=2)
    clear = (order[..., 2] > DOMINANT * order[..., 1]) & (order[..., 2] > FAR)
    clear &= order[..., 2] > 0.2 * length
    axis = size.argmax(axis=2)
    backward = np.take_along_axis(way, axis[..., None], axis=2)[..., 0] < 0
    return np.where(clear, 2 * axis + backward, -1)


def _height(climb: Array) -> Array:
    return np.where(
        climb > FAR, 0, np.where(climb < -FAR, 1, np.where(np.abs(climb) < LEVEL, 2, -1))
    )
