"""Filters without a motion model: what is measured, One-Euro, Savitzky–Golay."""

from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.bench.filter_estimates import Estimates, unstated
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flight_table import Flights


def run_raw(flights: Flights) -> Estimates:
    """Hold the newest measurement; its velocity is the difference of the two newest."""
    rows, frames = np.arange(len(flights.t))[:, None], np.arange(flights.t.shape[1])
    newest = np.maximum.accumulate(np.where(flights.seen, frames, 0), axis=1)  # (N, T)
    before = np.where(newest > 0, newest - 1, 0)
    before = np.maximum.accumulate(np.where(flights.seen, frames, 0), axis=1)[rows, before]
    xyz, dt = flights.z[rows, newest], flights.t[rows, newest] - flights.t[rows, before]
    velocity = (xyz - flights.z[rows, before]) / np.maximum(dt, 1e-3)[..., None]
    covariance, log_density = unstated(flights)
    return Estimates(xyz, velocity, covariance, log_density)


def run_one_euro(
    flights: Flights, *, cutoff: float, slope: float, speed_cutoff: float, reach: float
) -> Estimates:
    """Smooth the less the faster the object; hold through gaps.

    The speed is that of all axes together, so that no direction is preferred. A measurement is
    gated by its distance from the last state in standard deviations of the noise and of ``reach``
    times the age of that state.

    Source: Casiez, Roussel & Vogel, 1€ Filter, CHI 2012.

    Args:
        flights: N tracks, T frames.
        cutoff: At rest, Hz.
        slope: What each m/s adds to it, 1/m.
        speed_cutoff: Of the low-pass of the velocity, Hz.
        reach: m/s.
    """
    n, frames = flights.t.shape
    x, v, since = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros(n)
    born = np.zeros(n, dtype=bool)
    xyz, velocity = np.zeros((n, frames, 3)), np.zeros((n, frames, 3))
    for k in range(frames):
        seen, z = flights.seen[:, k], flights.z[:, k]
        dt = np.maximum(flights.t[:, k] - since, 1e-6)
        S = flights.R[:, k] + flights.B[:, k] + (reach * dt)[:, None, None] ** 2 * np.eye(3)
        y = z - x
        d2 = (np.linalg.solve(S, y[..., None])[..., 0] * y).sum(axis=1)
        y = y / np.maximum(d2 / 16.0, 1.0)[:, None]
        changed = v + _alpha(speed_cutoff, dt)[:, None] * (y / dt[:, None] - v)
        speed = np.linalg.norm(changed, axis=1)
        moved = x + _alpha(cutoff + slope * speed, dt)[:, None] * y
        go, begin = (seen & born)[:, None], (seen & ~born)[:, None]
        x = np.where(begin, z, np.where(go, moved, x))
        v = np.where(go, changed, v)
        since, born = np.where(seen, flights.t[:, k], since), born | seen
        xyz[:, k], velocity[:, k] = x, v
    return Estimates(xyz, velocity, *unstated(flights))


def _alpha(cutoff: Array | float, dt: Array) -> Array:
    """Return the weight of the newest sample of a first-order low-pass."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff * dt)))


def run_savitzky_golay(
    flights: Flights, *, window: float, degree: float, gate: float
) -> Estimates:
    """Fit a polynomial of time to the newest measurements, at every frame, and read its end.

    Weighted by the noise; those that the first fit misses by more than ``gate`` standard
    deviations are left out of the second. Where fewer than degree + 2 lie in the window, the
    degree is lowered. Before the newest measurement the path is straight.

    Source: Savitzky & Golay, Analytical Chemistry 36(8), 1964; on irregular stamps a local
    polynomial regression.

    Args:
        flights: N tracks, T frames.
        window: s.
        degree: 1 to 3; rounded.
        gate: Standard deviations.
    """
    n, frames = flights.t.shape
    xyz, velocity = np.zeros((n, frames, 3)), np.zeros((n, frames, 3))
    weight = flights.seen * 3.0 / np.trace(flights.R + flights.B, axis1=2, axis2=3)  # (N, T)
    for k in range(frames):
        start = max(0, k - LONGEST + 1)
        part = slice(start, k + 1)
        newest = np.where(flights.seen[:, part], flights.t[:, part], -np.inf).max(axis=1)
        newest = np.where(np.isfinite(newest), newest, flights.t[:, k])[:, None]
        age = flights.t[:, part] - newest
        w = np.where(age >= -window, weight[:, part], 0.0)
        w = np.where((w > 0).any(axis=1, keepdims=True), w, weight[:, part])
        found = _fit(age / window, flights.z[:, part], w, round(degree))
        away = np.linalg.norm(flights.z[:, part] - found[0], axis=2) ** 2 * w
        inlier = away <= gate**2 * 3.0
        enough = (w * inlier > 0).sum(axis=1, keepdims=True) >= 2
        _, x, v = _fit(age / window, flights.z[:, part], np.where(enough, w * inlier, w), degree)
        ahead = (flights.t[:, k, None] - newest) / window
        xyz[:, k], velocity[:, k] = x + v * ahead, v / window
    return Estimates(xyz, velocity, *unstated(flights))


LONGEST = 60
"""Most frames in the window of Savitzky–Golay."""
RIDGE = 1e-9


def _fit(age: Array, z: Array, w: Array, degree: float) -> tuple[Array, Array, Array]:
    """Fit polynomials; return the values at all ages (N, W, 3), value and slope at age 0 (N, 3).

    Args:
        age: (N, W), 0 for the newest.
        z: (N, W, 3) m.
        w: Weights, (N, W).
        degree: Highest power; lowered with the number of weights that are not 0.
    """
    powers = np.arange(4)
    allowed = np.minimum(round(degree), (w > 0).sum(axis=1) - 2)
    allowed = np.where((w > 0).sum(axis=1) == 2, 1, allowed)
    used = powers <= np.maximum(allowed, 0)[:, None]  # (N, 4)
    A = age[..., None] ** powers * used[:, None]  # (N, W, 4)
    Aw = A * (w / np.maximum(w.max(axis=1, keepdims=True), 1e-300))[..., None]
    normal = Aw.swapaxes(1, 2) @ A + np.eye(4) * np.where(used, RIDGE, 1.0)[:, None]
    c = np.linalg.solve(normal, Aw.swapaxes(1, 2) @ z)  # (N, 4, 3)
    return A @ c, c[:, 0], c[:, 1]
