"""Ten ways to move, for many objects at once, with analytic velocity.

Each is a function of times (N, T), s, and of its parameters, whose first axis is N too; it returns
positions and velocities, (N, T, 3), in m and m/s. Gravity pulls along −z. ``paths`` has the same
families for one object.
"""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.paths import GRAVITY

TURN_STEP = 0.05
"""A turn rate holds for this long, s."""


def line(t: Array, *, speed: Array) -> tuple[Array, Array]:
    """Go along x at a speed (N,), m/s."""
    return stack(speed[:, None] * t), stack(speed[:, None] + 0.0 * t)


def helix(
    t: Array, *, radius: Array, rate: Array, phase: Array, climb: Array
) -> tuple[Array, Array]:
    """Go round a level circle, ``rate`` in rad/s, and climb, m/s; each (N,)."""
    angle = phase[:, None] + rate[:, None] * t
    across, along = radius[:, None], (radius * rate)[:, None]
    xyz = stack(across * np.cos(angle), across * np.sin(angle), climb[:, None] * t)
    return xyz, stack(-along * np.sin(angle), along * np.cos(angle), climb[:, None] + 0.0 * t)


def circle(t: Array, *, radius: Array, rate: Array, phase: Array) -> tuple[Array, Array]:
    """Go round a level circle, ``rate`` in rad/s; each (N,)."""
    return helix(t, radius=radius, rate=rate, phase=phase, climb=np.zeros(len(t)))


def parabola(
    t: Array, *, drift: Array, apex: Array, flight: Array, carry: Array
) -> tuple[Array, Array]:
    """Fly freely; what comes down after ``flight`` seconds is caught and thrown again.

    The hand takes ``carry`` seconds and turns the velocity round without a jump.

    Args:
        t: (N, T) s.
        drift: Level speed along x, (N,) m/s.
        apex: Time of one highest point, (N,) s.
        flight: From throw to catch, (N,) s.
        carry: From catch to throw, (N,) s.
    """
    flight, carry = flight[:, None], carry[:, None]
    since = np.mod(t - apex[:, None] + flight / 2, flight + carry)  # the last throw
    s = since - flight / 2
    held = np.maximum(since - flight, 0.0) / carry
    up = GRAVITY * flight / 2  # speed of the throw
    in_air = since < flight
    z = np.where(
        in_air,
        -GRAVITY * s**2 / 2,
        -up * flight / 4 - up * carry / np.pi * np.sin(np.pi * held),
    )
    climb = np.where(in_air, -GRAVITY * s, -up * np.cos(np.pi * held))
    ahead = drift[:, None]
    return stack(ahead * t, 0.0, z), stack(ahead + 0.0 * t, 0.0, climb)


def turns(t: Array, *, speed: Array, rates: Array) -> tuple[Array, Array]:
    """Go in the plane at constant speed (N,), m/s, along arcs of ``TURN_STEP`` seconds each.

    Args:
        t: (N, T) s, not negative.
        speed: (N,) m/s.
        rates: Turn rate of each arc, (N, S) rad/s; the last one goes on.
    """
    n, num = rates.shape
    turned = np.concatenate([np.zeros((n, 1)), np.cumsum(rates * TURN_STEP, axis=1)], axis=1)
    chord = _arc(turned[:, :-1], rates, np.full_like(rates, TURN_STEP))
    way = np.concatenate([np.zeros((n, 1)), np.cumsum(chord, axis=1)], axis=1)
    number = np.clip((t / TURN_STEP).astype(int), 0, num - 1)
    since = t - number * TURN_STEP
    heading, rate = (np.take_along_axis(a, number, axis=1) for a in (turned, rates))
    reached = np.take_along_axis(way, number, axis=1) + _arc(heading, rate, since)
    reached = speed[:, None] * reached
    now = speed[:, None] * np.exp(1j * (heading + rate * since))
    return stack(reached.real, reached.imag), stack(now.real, now.imag)


def stop_and_go(
    t: Array, *, strides: Array, go: Array, stop: Array, begun: Array
) -> tuple[Array, Array]:
    """Go ``go`` seconds, rest ``stop`` seconds, go on another way; see ``paths.StopAndGo``.

    Args:
        t: (N, T) s.
        strides: Of each go, (N, S, 3) m.
        go: (N,) s.
        stop: (N,) s.
        begun: Seconds of the first cycle that are over at the start, (N,).
    """
    go = go[:, None]
    cycle, since = np.divmod(t + begun[:, None], go + stop[:, None])
    tau = np.minimum(since / go, 1.0)
    number = np.minimum(cycle.astype(int), strides.shape[1] - 1)[..., None]
    before = np.cumsum(strides, axis=1) - strides
    start, stride = (np.take_along_axis(a, number, axis=1) for a in (before, strides))
    part = tau - np.sin(2 * np.pi * tau) / (2 * np.pi)
    rate = (1 - np.cos(2 * np.pi * tau)) / go
    return start + part[..., None] * stride, rate[..., None] * stride


def hover(t: Array, *, size: Array, rate: Array, phase: Array) -> tuple[Array, Array]:
    """Stay about a place: along each axis the sum of K slow swings, each (N, K, 3)."""
    angle = rate[:, None] * t[:, :, None, None] + phase[:, None]  # (N, T, K, 3)
    xyz = (size[:, None] * np.sin(angle)).sum(axis=2)
    return xyz, ((size * rate)[:, None] * np.cos(angle)).sum(axis=2)


def bounce(
    t: Array, *, height: Array, fallen: Array, drift: Array, restitution: Array, grip: Array
) -> tuple[Array, Array]:
    """Fall on a floor at z = 0 and bounce; after the last of 30 bounces, roll.

    Each impact keeps the part ``restitution`` of the vertical speed and ``grip`` of the level one.

    Args:
        t: (N, T) s, not negative.
        height: From which it was dropped, (N,) m.
        fallen: Seconds before the start when it was dropped, (N,).
        drift: Level speed before the first impact, along x, (N,) m/s.
        restitution: (N,).
        grip: (N,).
    """
    t = t + fallen[:, None]
    fall = np.sqrt(2 * height / GRAVITY)[:, None]
    number = np.arange(30)
    flights = 2 * fall * restitution[:, None] ** (number + 1)  # after each impact
    impacts = np.concatenate([fall, fall + np.cumsum(flights[:, :-1], axis=1)], axis=1)  # (N, 30)
    kept = drift[:, None] * grip[:, None] ** (number + 1)
    places = np.cumsum(
        np.concatenate([drift[:, None] * fall, kept[:, :-1] * flights[:, :-1]], axis=1), axis=1
    )
    done = np.stack(
        [np.searchsorted(row, at, side="right") for row, at in zip(impacts, t, strict=True)]
    )
    last = np.maximum(done - 1, 0)
    hit, place, ahead = (np.take_along_axis(a, last, axis=1) for a in (impacts, places, kept))
    falling, rolling = done == 0, done == len(number)
    since = np.where(falling, t, t - hit)
    up = np.where(falling | rolling, 0.0, GRAVITY * fall * restitution[:, None] ** done)
    pull = np.where(rolling, 0.0, GRAVITY)
    ahead = np.where(falling, drift[:, None], ahead)
    x = np.where(falling, 0.0, place) + ahead * since
    z = np.where(falling, height[:, None], 0.0) + up * since - pull * since**2 / 2
    return stack(x, 0.0, z), stack(ahead, 0.0, up - pull * since)


def spiral(
    t: Array, *, radius: Array, growth: Array, rate: Array, phase: Array
) -> tuple[Array, Array]:
    """Go round a level circle whose radius grows, m/s; ``rate`` in rad/s; each (N,)."""
    angle = phase[:, None] + rate[:, None] * t
    r, out, turn = radius[:, None] + growth[:, None] * t, growth[:, None], rate[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    return stack(r * cos, r * sin), stack(out * cos - r * turn * sin, out * sin + r * turn * cos)


def figure_eight(t: Array, *, size: Array, rate: Array, phase: Array) -> tuple[Array, Array]:
    """Follow the lemniscate of Gerono: y = size sin φ, x = y cos φ, φ = phase + rate t."""
    phi, rate, size = phase[:, None] + rate[:, None] * t, rate[:, None], size[:, None]
    y = size * np.sin(phi)
    return stack(y * np.cos(phi), y), size[..., None] * rate[..., None] * stack(
        np.cos(2 * phi), np.cos(phi)
    )


def _arc(heading: Array, rate: Array, dt: Array) -> Array:
    """Return the way of unit speed in ``dt`` as a complex number: ∫ exp(i (heading + rate s))."""
    half = rate * dt / 2
    return np.asarray(dt * np.sinc(half / np.pi) * np.exp(1j * (heading + half)))


def stack(x: Array, y: Array | float = 0.0, z: Array | float = 0.0) -> Array:
    """Return (..., 3) from coordinates (...)."""
    xyz = np.empty((*x.shape, 3))
    xyz[..., 0], xyz[..., 1], xyz[..., 2] = x, y, z
    return xyz
