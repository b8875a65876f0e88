"""Two objects before a camera: where they are, how large, how they move.

Joint attributes are joint because of how these are drawn:

- The camera is rolled by any angle and looks up as often as down: no picture tells what is up. It
  looks level at free flights, whose extents would otherwise tell when they are highest.
- A scene twice as large, twice as far and twice as fast gives the same picture. Half of a size (of
  its logarithm) shows in the extent and half in the distance, both blurred by chance.
- For ``nearer`` and ``faster``, extents and speeds in the picture are drawn first, the same
  whichever is nearer or faster; sizes and distances follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.acts import FREE, draw_acts
from liquid_mono3d_ros.synth.attributes import MOTIONS
from liquid_mono3d_ros.synth.motions import Motions, tilted
from liquid_mono3d_ros.synth.random_rigs import rotation
from liquid_mono3d_ros.synth.recordings import haar
from liquid_mono3d_ros.synth.staging import Staging, log_uniform

OBJECTS = 2
"""In a scene."""
THEMES = ("plain", "nearer", "faster", "rising")
"""What the two objects of a scene are compared by; ``plain``: nothing."""
SHARES = (0.4, 0.2, 0.2, 0.2)
"""Of the themes."""
CASTS = {
    "plain": (*MOTIONS, *FREE),  # those that can flash twice as often
    "nearer": ("line", "circle", "turn", "stop-and-go"),
    "faster": ("line", "circle", "turn", "stop-and-go"),
    "rising": ("line", "helix", "turn", "stop-and-go"),
}
"""Motions of each theme. Free fall would show in the picture what is up."""
SIZES = ((0.24, 0.30), (0.42, 0.54), (0.75, 0.96))
"""Small, medium, large: longest side of the box, m."""
MIDDLE = 0.48
"""A middling size, m."""
SPREAD = 0.9
"""Half the spread of the logarithm of extent and distance that the size does not settle."""
SWIFT = (0.08, 0.4)
"""Speed over distance, rad/s."""
COMPARED = (0.1, 0.26)
"""The same of objects that are compared, on average of the two."""
FLIGHT = (9.5, 16.0)
"""Distance of a free flight, m: it takes up to 8 m of height."""
SMALLEST = 20.0
"""Extent in the picture, px: below it stripes are not told from dots."""
LONGEST_FOCAL = 2400.0
"""px."""
ASIDE = 0.15
"""Largest angle from the optical axis to the middle of the way, along each axis, rad."""


@dataclass(frozen=True)
class Encounters:
    """N scenes of two objects, as they are.

    Attributes:
        duration: s.
        theme: Index into ``THEMES``, (N,).
        motion: Index into ``MOTIONS``, (N, 2).
        size: Longest side of the box, (N, 2) m.
        motions: About the origin, 2 N of them, scale and turn included.
        place: Middle of the way, (N, 2, 3) m.
        R_cw: Of the camera, (N, 3, 3).
        centre: Of the camera, (N, 3) m.
        focal: (N,) px.
    """

    duration: float
    theme: Array
    motion: Array
    size: Array
    motions: Motions
    place: Array
    R_cw: Array
    centre: Array
    focal: Array

    def at(self, t: Array) -> tuple[Array, Array]:
        """Return positions and velocities, (N, 2, T, 3), at times (N, T), s from the start."""
        xyz, velocity = self.motions.at(np.repeat(t, OBJECTS, axis=0))
        shape = (len(t), OBJECTS, t.shape[1], 3)
        return xyz.reshape(shape) + self.place[:, :, None], velocity.reshape(shape)

    def picture(self, xyz: Array) -> tuple[Array, Array]:
        """Return where points (N, 2, T, 3) are seen: tangents (N, 2, T, 2), depth (N, 2, T) m."""
        xyz_camera = (xyz - self.centre[:, None, None]) @ self.R_cw.transpose(0, 2, 1)[:, None]
        depth = xyz_camera[..., 2]
        return xyz_camera[..., :2] / depth[..., None], depth


@dataclass(frozen=True)
class _Draft:
    """Logarithms of what the objects of N scenes are meant to be, each (N, 2)."""

    size: Array
    extent: Array
    swift: Array
    speed: Array

    @property
    def distance(self) -> Array:
        return self.size - self.extent


def draw_encounters(staging: Staging, n: int, rng: np.random.Generator) -> Encounters:
    """Draw n scenes."""
    theme = rng.choice(len(THEMES), n, p=SHARES)
    motion = _draw_motion(theme, rng)
    draft = _draft(theme, staging.layout.distance, rng)
    free = np.isin(motion, [MOTIONS.index(name) for name in FREE])
    flying = motion == MOTIONS.index("parabola")
    far = np.log(log_uniform(FLIGHT, (n, OBJECTS), rng))
    distance = np.where(flying, far, draft.distance)
    R_cw = _cameras(np.where(free.any(axis=1), 0.0, staging.layout.elevation), rng)
    acts = draw_acts(motion.ravel(), staging.duration, np.exp(distance).ravel(), rng)
    turn = _turns(acts, theme, free, R_cw, staging.duration, rng)
    mean, share = _mean_speeds(acts, turn, R_cw, staging.duration)
    # What is seen of the speed is settled; speed or distance makes up for what is not.
    speed = draft.swift + distance - np.log(share)
    plain = np.isin(theme, [THEMES.index("plain"), THEMES.index("rising")])[:, None]
    speed = np.where(plain, draft.swift + distance, speed)
    faster = (theme == THEMES.index("faster"))[:, None]
    speed = np.where(faster, draft.speed, speed)
    slack = np.where(faster, draft.speed + np.log(share) - draft.swift - distance, 0.0)
    distance, size = distance + slack, draft.size + slack
    fixed = free | (motion == MOTIONS.index("hover"))
    scale = np.where(fixed, 1.0, np.exp(speed) / mean)
    placed = Motions(
        acts.moves, acts.middle, turn * scale.reshape(-1, 1, 1), acts.radius * scale.ravel()
    )
    centre = rng.normal((0.0, 0.0, 1.5), (2.0, 2.0, 0.5), (n, 3))
    ray = np.ones((n, OBJECTS, 3))
    ray[..., :2] = rng.uniform(-ASIDE, ASIDE, (n, OBJECTS, 2))
    ray *= np.exp(distance)[..., None] / np.linalg.norm(ray, axis=2, keepdims=True)
    extent = np.exp((size - distance).min(axis=1))
    focal = log_uniform(staging.layout.focal, n, rng)
    return Encounters(
        duration=staging.duration,
        theme=theme,
        motion=motion,
        size=np.exp(size),
        motions=placed,
        place=centre[:, None] + ray @ R_cw,
        R_cw=R_cw,
        centre=centre,
        focal=np.clip(focal, SMALLEST / extent, LONGEST_FOCAL),
    )


def _draw_motion(theme: Array, rng: np.random.Generator) -> Array:
    motion = np.zeros((len(theme), OBJECTS), dtype=int)
    for index, name in enumerate(THEMES):
        rows = np.flatnonzero(theme == index)
        cast = np.array([MOTIONS.index(word) for word in CASTS[name]])
        motion[rows] = rng.choice(cast, (len(rows), OBJECTS))
    return motion


def _draft(theme: Array, distance: float, rng: np.random.Generator) -> _Draft:
    """Draw sizes, extents and speeds of every theme, and take each scene's own."""
    middle = np.log(MIDDLE / distance)
    drafts = [
        _plain(middle, len(theme), rng),
        _compared(middle, rng, len(theme), extent=0.6, swift=0.5, distance=(0.4, 0.7)),
        _compared(middle, rng, len(theme), extent=0.3, swift=0.3, speed=(0.5, 0.8)),
    ]
    drafts.append(_plain(middle, len(theme), rng))
    rows = np.arange(len(theme))
    return _Draft(
        **{
            name: np.stack([vars(d)[name] for d in drafts])[theme, rows]
            for name in vars(drafts[0])
        }
    )


def _plain(middle: float, n: int, rng: np.random.Generator) -> _Draft:
    """Each object for itself: half of the size's logarithm shows in the extent."""
    low, high = np.log(SIZES).T[:, rng.integers(len(SIZES), size=(n, OBJECTS))]
    size = rng.uniform(low, high)
    extent = middle + (size - np.log(MIDDLE)) / 2 + rng.uniform(-SPREAD, SPREAD, (n, OBJECTS))
    swift = np.log(log_uniform(SWIFT, (n, OBJECTS), rng))
    return _Draft(size, extent, swift, swift + size - extent)


def _compared(
    middle: float,
    rng: np.random.Generator,
    n: int,
    *,
    extent: float,
    swift: float,
    distance: tuple[float, float] | None = None,
    speed: tuple[float, float] | None = None,
) -> _Draft:
    """The two differ in distance or in speed by these factors, either way, whatever one sees."""
    seen_extent, seen_swift = (rng.uniform(-most, most, n) for most in (extent, swift))
    apart = rng.choice([-1.0, 1.0], n) * rng.uniform(*(distance or speed or (0.0, 0.0)), n)
    farther = apart if distance else apart - seen_swift
    half = np.array([-0.5, 0.5])
    e = middle + rng.uniform(-0.55, 0.55, (n, 1)) + seen_extent[:, None] * half
    s = np.log(MIDDLE) + rng.uniform(-0.1, 0.1, (n, 1)) + (seen_extent + farther)[:, None] * half
    w = np.log(log_uniform(COMPARED, (n, 1), rng)) + seen_swift[:, None] * half
    return _Draft(s, e, w, w + s - e)


def _cameras(elevation: Array, rng: np.random.Generator) -> Array:
    """Return R_cw (n, 3, 3) of cameras that look anywhere, rolled by any angle.

    Args:
        elevation: Largest angle at which they look up or down, (n,) rad.
        rng: Source of everything drawn.
    """
    n = len(elevation)
    azimuth = rng.uniform(0, 2 * np.pi, n)
    up = rng.uniform(-elevation, elevation, n)
    level = np.cos(up)
    forward = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(up)], axis=1)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    upright = np.stack([right, np.cross(forward, right), forward], axis=1)
    roll = np.zeros((n, 3))
    roll[:, 2] = rng.uniform(0, 2 * np.pi, n)
    return np.asarray(rotation(roll) @ upright)


def _turns(
    acts: Motions,
    theme: Array,
    free: Array,
    R_cw: Array,
    duration: float,
    rng: np.random.Generator,
) -> Array:
    """Return how each act lies in the world, (2 N, 3, 3)."""
    n, theme, free = 2 * len(theme), np.repeat(theme, OBJECTS), free.ravel()
    ends, _ = acts.at(np.array([[0.0, duration]]).repeat(n, axis=0))
    way = ends[:, 1] - ends[:, 0]
    axis = np.zeros((n, 3))
    axis[np.arange(n), rng.integers(3, size=n)] = rng.choice([-1.0, 1.0], n)
    along = _aligned(way, axis + rng.normal(0.0, 0.12, (n, 3)), rng)
    azimuth, steep = rng.uniform(0, 2 * np.pi, n), rng.uniform(0.6, 1.3, n)
    climb = np.sin(steep) * np.repeat(rng.choice([-1.0, 1.0], n // 2), OBJECTS)
    climb[1::2] *= -1.0
    steeply = np.stack(
        [np.cos(steep) * np.cos(azimuth), np.cos(steep) * np.sin(azimuth), climb], axis=1
    )
    spin = tilted(np.zeros(n), rng.uniform(0, 2 * np.pi, n))
    across = np.repeat(R_cw.transpose(0, 2, 1), OBJECTS, axis=0)
    across = across @ rotation(rng.normal(0.0, 0.15, (n, 3))) @ spin
    upright = tilted(np.zeros(n), rng.uniform(0, 2 * np.pi, n))
    anyhow = np.where((rng.random(n) < 0.6)[:, None, None], along, haar(n, rng))
    compared = np.isin(theme, [THEMES.index("nearer"), THEMES.index("faster")])
    turn = np.where(compared[:, None, None], across, anyhow)
    rising = (theme == THEMES.index("rising"))[:, None, None]
    turn = np.where(rising, _aligned(way, steeply, rng), turn)
    return np.where(free[:, None, None], upright, turn)


def _aligned(way: Array, target: Array, rng: np.random.Generator) -> Array:
    """Return rotations (n, 3, 3) that take directions to others, spun at random about them."""
    spin = np.zeros_like(way)
    spin[:, 0] = rng.uniform(0, 2 * np.pi, len(way))
    return _basis(target).transpose(0, 2, 1) @ rotation(spin) @ _basis(way)


def _basis(x: Array) -> Array:
    """Return right-handed axes (n, 3, 3), rows, the first along the vectors (n, 3)."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    other = np.eye(3)[np.abs(x).argmin(axis=1)]
    y = np.cross(other, x)
    y /= np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _mean_speeds(acts: Motions, turn: Array, R_cw: Array, duration: float) -> tuple[Array, Array]:
    """Return mean speed, (N, 2) m/s, and the share of it that lies across the view, (N, 2)."""
    _, velocity = acts.at(np.full((len(turn), 1), duration) * np.linspace(0, 1, 40))
    lateral = velocity @ (np.repeat(R_cw, OBJECTS, axis=0) @ turn).transpose(0, 2, 1)[..., :2]
    mean = np.linalg.norm(velocity, axis=2).mean(axis=1)
    share = np.linalg.norm(lateral, axis=2).mean(axis=1) / mean
    return mean.reshape(-1, OBJECTS), np.maximum(share, 0.05).reshape(-1, OBJECTS)
