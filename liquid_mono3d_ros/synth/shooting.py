"""From scenes to the crops that the camera gives of each object."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.appearances import FLASH, Appearances
from liquid_mono3d_ros.synth.attributes import COLOURS, MARKINGS, SHAPES, STRIPE_DIRECTIONS
from liquid_mono3d_ros.synth.backdrops import draw_backdrop, draw_wall
from liquid_mono3d_ros.synth.crops import Bar, Sight, draw_noise, render_crops
from liquid_mono3d_ros.synth.encounters import OBJECTS, Encounters
from liquid_mono3d_ros.synth.looks import Look, draw_look
from liquid_mono3d_ros.synth.staging import Staging
from liquid_mono3d_ros.synth.windows import CROP, draw_windows

POST = 0.2
"""Half the width of a bar, in boxes of what passes it."""
TOUCHED = 0.55
"""A bar so near, in boxes, hides part of the object."""
FEWEST, MOST = 2, 0.45
"""A bar hides part of it in so many crops at least, and in this share of them at most."""
BESIDE = (0.78, 0.92)
"""From the object to its companion, in boxes."""
GAIN, TINT, DRIFT = (0.8, 1.1), 0.05, 0.06
"""Of the light: its range, its colour's, and how far it changes in a scene."""
NOISE = (1.0, 5.0)
"""Of the sensor, grey levels."""
EXPOSURE, SHORT = (0.001, 0.008), (0.0002, 0.0006)
"""s; short where a blur would tell how fast a flight is when it flashes."""
PLAIN = 0.35
"""Share of walls without texture; where something flashes, all, for a texture that passes by would
tell the apex to the picture alone."""


@dataclass(frozen=True)
class Shots:
    """The crops of N scenes.

    Attributes:
        crops: (N, 2, V, CROP, CROP, 3) uint8, black where not seen.
        side: Of the window over the focal length, (N, 2, V), 0 where not seen.
        seen: (N, 2, V) bool.
        labels: The words of the pictures, -1 for what no crop shows, (N, 2) each.
    """

    crops: Array
    side: Array
    seen: Array
    labels: dict[str, Array]


@dataclass(frozen=True)
class _Takes:
    """What is known of N scenes before they are drawn.

    Attributes:
        appearances: Of the objects.
        stamp: (N, V) s.
        uv: Middle of each object, (N, 2, V, 2) px.
        extent: (N, 2, V) px.
        flow: (N, 2, V, 2) px/s.
        flash: Which crops show a flash, (N, 2, V) bool.
    """

    appearances: Appearances
    stamp: Array
    uv: Array
    extent: Array
    flow: Array
    flash: Array


@dataclass(frozen=True)
class _Set:
    """What the objects of a scene share: wall, light (V, 3), noise, exposure in s."""

    backdrop: Array
    gain: Array
    noise: float
    exposure: float


def shoot(
    encounters: Encounters,
    appearances: Appearances,
    staging: Staging,
    stamp: Array,
    rng: np.random.Generator,
) -> Shots:
    """Draw the crops at the stamps (N, V), s."""
    takes = _prepare(encounters, appearances, staging, stamp)
    seen = rng.random(takes.extent.shape) >= staging.dropout
    labels = {name: words.copy() for name, words in appearances.labels.items()}
    labels["flash"][~(takes.flash & seen).any(axis=2)] = -1
    field = draw_noise(rng)
    crops = np.zeros((*seen.shape, CROP, CROP, 3), np.uint8)
    side = np.zeros(seen.shape, np.float32)
    for n in range(len(stamp)):
        scenery = _draw_set(takes, n, staging.split, rng)
        for row in ((n, o) for o in range(OBJECTS)):
            windows = draw_windows(takes.uv[row], takes.extent[row], rng)
            sight = _draw_sight(takes, row, scenery, rng)
            if sight.bar is None or not _shows(takes, sight.bar, row, seen[row]):
                sight = replace(sight, bar=None)
                labels["passes_behind"][row] = -1
            crops[row] = render_crops(sight, windows, field, rng)
            side[row] = windows.side / encounters.focal[n]
    crops[~seen], side[~seen] = 0, 0.0
    return Shots(crops, side, seen, labels)


def _prepare(
    encounters: Encounters, appearances: Appearances, staging: Staging, stamp: Array
) -> _Takes:
    xyz, velocity = encounters.at(stamp)
    uv, depth = encounters.picture(xyz)
    soon, _ = encounters.picture(xyz + 1e-3 * velocity)
    focal = encounters.focal[:, None, None]
    lasts = max(FLASH, 1.5 / staging.video_rate) / 2
    return _Takes(
        appearances=appearances,
        stamp=stamp,
        uv=uv * focal[..., None],
        extent=encounters.size[..., None] / depth * focal,
        flow=(soon - uv) * 1e3 * focal[..., None],
        flash=np.abs(stamp[:, None] - appearances.flash_time[..., None]) < lasts,  # NaN is not
    )


def _draw_set(takes: _Takes, n: int, split: str, rng: np.random.Generator) -> _Set:
    timed = bool((takes.appearances.flash[n] >= 0).any())
    return _Set(
        backdrop=draw_backdrop(split, rng),
        gain=_light(takes.stamp[n], rng),
        noise=float(rng.uniform(*NOISE)),
        exposure=float(rng.uniform(*(SHORT if timed else EXPOSURE))),
    )


def _draw_sight(
    takes: _Takes, row: tuple[int, int], scenery: _Set, rng: np.random.Generator
) -> Sight:
    looks, extent = takes.appearances, takes.extent[row]
    glints = not np.isnan(looks.flash_time[row])
    plain = glints or rng.random() < PLAIN
    grain = float(extent.mean() / rng.uniform(24, 40))
    bar = _bar(takes, row, rng)
    return Sight(
        look=draw_look(
            int(looks.shape[row]),
            int(looks.colour[row]),
            int(looks.marking[row]),
            int(looks.stripe_direction[row]),
            rng,
        ),
        uv=takes.uv[row],
        extent=extent,
        turn=_turn(takes.stamp[row[0]], rng),
        dim=_dim(looks, takes.stamp[row[0]], row),
        flash=takes.flash[row].astype(float),
        backdrop=draw_wall(rng) if plain else scenery.backdrop,
        corner=takes.uv[row].mean(axis=0) - grain * rng.uniform(40, 120, 2),
        grain=grain,
        bar=None if glints else bar,
        companion=_companion(rng) if looks.companion[row] else None,
        gain=scenery.gain,
        noise=scenery.noise,
        exposure=scenery.exposure,
        velocity=takes.flow[row],
    )


def _light(t: Array, rng: np.random.Generator) -> Array:
    """Return the gain of each channel, (V, 3)."""
    slow = DRIFT * rng.uniform() * np.sin(rng.uniform(1, 4) * t + rng.uniform(0, 2 * np.pi))
    return np.asarray(
        rng.uniform(*GAIN) * (1 + slow[:, None]) * rng.uniform(1 - TINT, 1 + TINT, 3)
    )


def _turn(t: Array, rng: np.random.Generator) -> Array:
    return np.asarray(0.1 * np.sin(rng.uniform(1, 4) * t + rng.uniform(0, 2 * np.pi)))


def _dim(appearances: Appearances, t: Array, row: tuple[int, int]) -> Array:
    part = (t * appearances.blink_rate[row] + appearances.blink_phase[row]) % 1
    return np.asarray((part < 0.5) & bool(appearances.blinking[row]))


def _companion(rng: np.random.Generator) -> tuple[Look, Array]:
    shape, colour, marking, direction = (
        int(rng.integers(len(words))) for words in (SHAPES, COLOURS, MARKINGS, STRIPE_DIRECTIONS)
    )
    angle = rng.uniform(0, 2 * np.pi)
    aside = rng.uniform(*BESIDE) * np.array([np.cos(angle), np.sin(angle)])
    return draw_look(shape, colour, marking, direction, rng), aside


def _bar(takes: _Takes, row: tuple[int, int], rng: np.random.Generator) -> Bar | None:
    """Return a bar across the way of an object; None if the object would not pass it quickly."""
    uv, extent = takes.uv[row], takes.extent[row]
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(uv, axis=0), axis=1))])
    here = float(takes.appearances.bar_part[row]) * gone[-1]
    soon = here + 0.1 * gone[-1]
    middle, ahead = (
        np.array([np.interp(way, gone, uv[:, axis]) for axis in range(2)]) for way in (here, soon)
    )
    across = (ahead - middle) / max(float(np.linalg.norm(ahead - middle)), 1e-9)
    bar = Bar(
        middle=middle,
        across=across,
        half=POST * float(extent[np.abs(gone - here).argmin()]),
        colour=np.clip(rng.uniform(40, 210) + rng.uniform(-12, 12, 3), 0, 255),
        in_front=bool(takes.appearances.passes_behind[row] == 1),
    )
    quickly = _touched(takes, bar, row).mean() <= MOST
    return bar if quickly and gone[-1] > 2 * extent.mean() else None


def _touched(takes: _Takes, bar: Bar, row: tuple[int, int]) -> Array:
    """Return in which frames the bar and the object share pixels, (V,)."""
    away = np.abs((takes.uv[row] - bar.middle) @ bar.across)
    return np.asarray(away < TOUCHED * takes.extent[row])


def _shows(takes: _Takes, bar: Bar, row: tuple[int, int], seen: Array) -> bool:
    return int(np.count_nonzero(_touched(takes, bar, row) & seen)) >= FEWEST
