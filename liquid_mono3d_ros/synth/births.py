"""Births of tracks with their truth: objects that last, and clutter that passes.

Everything is seen by the same rigs, through the same noise and drops, and triangulated by the same
code; what differs is how long a thing is there and how it moves. So neither the size of the noise
nor the number of cameras nor any look tells the kinds apart. Lifetimes overlap: some objects leave
after four images, some clutter stays for six or comes back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.exposures import interpolate
from liquid_mono3d_ros.synth.flight_table import Flights, joined
from liquid_mono3d_ros.synth.recordings import CHUNK, measure, record

KINDS = ("object", "visitor", "clutter", "glint", "flicker", "reflection")
"""A visitor is an object that leaves. Clutter falls elsewhere in every image, a glint stays where
it is, a flicker comes back there, a reflection moves as objects do."""
LASTING = 2
"""The first kinds, which are objects."""
MOVING = ("object", "visitor", "reflection")
"""The other kinds stay where they are first seen, before rigs drawn for motions all the same: or
the size of the noise, which hangs on how far a rig must see, would tell them apart."""
SHARES = (0.375, 0.125, 0.125, 0.125, 0.125, 0.125)
"""How often each kind is born: objects and clutter alike."""
VISIT = (4, 16)
"""Images for which a visitor stays."""
BRIEF, LONG = (1, 3), (3, 6)
"""Images for which clutter, glint and reflection stay: mostly brief, each one shorter life twice
as likely as the next; or long, all lives alike."""
LONG_SHARE = 0.25
"""Of them."""
AWAY = (1, 5)
"""Images for which a flicker is gone."""
AGAIN = 0.6
"""Chance that it comes back once more."""
SCATTER = (0.05, 0.5)
"""How far clutter falls from its middle, one sigma per axis, m; logarithmic."""
CENTRE = Conditions(
    rate=(10.0, 60.0),
    frames=24,
    noise=(0.5, 2.0),
    dropout=(0.0, 0.3),
    bursts=(0.0, 0.2),
    outliers=(0.0, 0.05),
    rotate=False,
)
"""How the births are recorded unless told otherwise. The world is z up; what the judge hears is
lengths and counts, so it would not know a turned one."""


@dataclass(frozen=True)
class Births:
    """N tracks of T images from their first measurement on, in random order.

    Attributes:
        flights: What is measured; every first image is.
        cameras: Behind each measurement, 0 where there is none, (N, T).
        kind: Index into ``KINDS``, (N,).
    """

    flights: Flights
    cameras: Array
    kind: Array

    def __post_init__(self) -> None:
        check_shape("cameras", self.cameras, self.flights.t.shape)
        check_shape("kind", self.kind, (len(self.flights),))

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def lasting(self) -> Array:
        """Which tracks are of objects, (N,) bool."""
        return np.asarray(self.kind < LASTING)

    def take(self, rows: Array | slice) -> Births:
        """Return some of the tracks, by index, mask or slice."""
        return Births(self.flights.take(rows), self.cameras[rows], self.kind[rows])

    def digest(self) -> str:
        """Return the sha256 of all values, in hexadecimal."""
        total = hashlib.sha256(self.flights.digest().encode())
        for values in (self.cameras, self.kind):
            total.update(np.ascontiguousarray(values, dtype=np.int64).tobytes())
        return total.hexdigest()


def draw_births(
    n: int, seed: int, conditions: Conditions = CENTRE, shares: tuple[float, ...] = SHARES
) -> Births:
    """Draw n tracks from a seed, of each kind its share, in random order.

    Args:
        n: Tracks.
        seed: Of everything drawn.
        conditions: Of the recordings; the families are those of what moves.
        shares: Of the kinds; they need not add up to 1.

    Raises:
        ValueError: If a share is negative, or there is not one for each kind.
    """
    if len(shares) != len(KINDS) or min(shares) < 0 or not sum(shares):
        cure = f"Name one for each of {', '.join(KINDS)}."
        raise ValueError(complain("shares", "six numbers from 0 on", str(shares), cure))
    ends = np.rint(np.cumsum([0.0, *shares]) / sum(shares) * n).astype(int)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    parts = [
        _draw(kind, count, seed, conditions, rng)
        for kind, count in enumerate(np.diff(ends).tolist())
        if count
    ]
    births = Births(
        joined(part.flights for part in parts),
        np.concatenate([part.cameras for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )
    return births.take(rng.permutation(n))


def _draw(
    kind: int, count: int, seed: int, conditions: Conditions, rng: np.random.Generator
) -> Births:
    """Draw tracks of one kind."""
    name, parts = KINDS[kind], list[Births]()
    while sum(map(len, parts)) < count:
        number = len(parts)
        parts.append(_chunk(kind, number, conditions, 1000 * seed + kind))
    whole = Births(
        joined(part.flights for part in parts),
        np.concatenate([part.cameras for part in parts]),
        np.concatenate([part.kind for part in parts]),
    ).take(slice(count))
    there = _there(name, whole.flights.t.shape, rng)
    flights = whole.flights if name in MOVING else _held(whole.flights)
    flights = _scattered(flights, rng) if name == "clutter" else flights
    return Births(_only(flights, there), whole.cameras * there, whole.kind)


def _chunk(kind: int, number: int, conditions: Conditions, seed: int) -> Births:
    """Draw one chunk of recordings and keep those whose first image gives a true measurement."""
    recordings = record(number, conditions, seed)
    flights = measure(recordings)
    seen = interpolate(recordings.exposures, conditions).seen
    cameras = np.count_nonzero(seen, axis=1) * flights.seen
    births = Births(flights, cameras, np.full(CHUNK, kind))
    return births.take(flights.seen[:, 0] & ~flights.outlier[:, 0])


def _there(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return in which images the thing is there, (N, T) bool."""
    n, frames = shape
    age = np.arange(frames)
    if name == "object":
        return np.ones(shape, dtype=bool)
    if name == "visitor":
        return np.asarray(age < rng.integers(VISIT[0], VISIT[1] + 1, n)[:, None])
    if name != "flicker":
        return np.asarray(age < _lifetimes(n, rng)[:, None])
    there = np.zeros(shape, dtype=bool)
    begins, back = np.zeros(n, dtype=int), np.ones(n, dtype=bool)
    while back.any():
        ends = begins + _brief(n, rng)
        there |= (age >= begins[:, None]) & (age < ends[:, None]) & back[:, None]
        begins = ends + rng.integers(AWAY[0], AWAY[1] + 1, n)
        back &= (rng.random(n) < AGAIN) & (begins < frames)
    return there


def _lifetimes(n: int, rng: np.random.Generator) -> Array:
    long = rng.integers(LONG[0], LONG[1] + 1, n)
    return np.where(rng.random(n) < LONG_SHARE, long, _brief(n, rng))


def _brief(n: int, rng: np.random.Generator) -> Array:
    lives = np.arange(BRIEF[0], BRIEF[1] + 1)
    chance = 0.5**lives
    return rng.choice(lives, n, p=chance / chance.sum())


def _held(flights: Flights) -> Flights:
    """Hold the thing where it was first seen; the errors of the measurements stay."""
    shift = flights.xyz[:, :1] - flights.xyz
    held = flights.xyz + shift
    z = flights.z + shift * flights.seen[..., None]
    return replace(flights, z=z, xyz=held, velocity=np.zeros_like(held))


def _scattered(flights: Flights, rng: np.random.Generator) -> Flights:
    """Let every measurement fall elsewhere about the thing."""
    n = len(flights)
    sigma = SCATTER[0] * (SCATTER[1] / SCATTER[0]) ** rng.random(n)
    away = sigma[:, None, None] * rng.normal(size=flights.z.shape)
    return replace(flights, z=flights.z + away * flights.seen[..., None])


def _only(flights: Flights, there: Array) -> Flights:
    """Return the flights as measured where the thing is there."""
    seen = flights.seen & there
    shown = seen[..., None, None]
    return replace(
        flights,
        seen=seen,
        z=np.where(seen[..., None], flights.z, 0.0),
        R=np.where(shown, flights.R, np.eye(3)),
        B=np.where(shown, flights.B, 0.0),
        outlier=flights.outlier & seen,
    )
