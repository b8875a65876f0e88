"""The plain filter of the drone data's own baseline: one Kalman filter on gated pairs.

Constant acceleration, a chi² gate, no prediction across more than half a second; the process
noise, and a factor of the measurements', are chosen on the part of the flight before the score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.bench.drone import labels_at, paired
from liquid_mono3d_ros.bench.drone_data import Flight
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.motion import I3, I9, MotionBank, transition

GATE_PX = 12.0
"""Largest reprojection error of a pair, in an image 1920 pixels wide."""
LABEL_PX = 1.5
"""Standard deviation of a label in such an image."""
SMALLEST = 0.03
"""Standard deviation added to every measurement, m."""
CHI2 = 16.27
COAST, MISSES = 0.5, 8
"""A track ends after so long without a pair, s, and after so many gated ones in a row."""
FASTEST = 25.0
"""Three points begin a track that this speed can join, m/s."""
NOISES, FACTORS = (1.0, 10.0, 100.0, 1000.0), (1.0, 4.0)
"""White jerk, m²/s⁵, and factors of the measurements' covariance, to choose from."""


@dataclass(frozen=True)
class Filtered:
    """States at K stamps.

    Attributes:
        t: s, (K,).
        xyz: By the measurements up to then, (K, 3) m.
        smoothed: By those of the whole track, (K, 3) m.
        covariance: Of ``xyz``, (K, 3, 3) m².
    """

    t: Array
    xyz: Array
    smoothed: Array
    covariance: Array


def filter_pairs(flight: Flight, names: tuple[str, ...]) -> Filtered:
    """Filter and smooth what a pair of cameras saw, tuned before the scored part."""
    t, xyz, covariance = gated_pairs(flight, names)
    before = t <= flight.start
    best, chosen = np.inf, (NOISES[1], FACTORS[0])
    for noise in NOISES:
        for factor in FACTORS:
            found = run_kalman(t[before], xyz[before], covariance[before] * factor, noise)
            score = flight.score(found.t, found.xyz, training=True) if len(found.t) else None
            if score is not None and score["rmse_m"] < best:
                best, chosen = score["rmse_m"], (noise, factor)
    return run_kalman(t, xyz, covariance * chosen[1], chosen[0])


def gated_pairs(flight: Flight, names: tuple[str, ...]) -> tuple[Array, Array, Array]:
    """Return times (K,), positions (K, 3) and covariances (K, 3, 3) of pairs that agree."""
    t, xyz, _ = paired(flight, names, nearest=False)
    good, information = np.ones(len(t), dtype=bool), np.full((len(t), 3, 3), 1e-6 * I3)
    for name in names:
        camera, scale = flight.rig.cameras[name], flight.rig.cameras[name].width / 1920
        uv = camera.undistort(labels_at(flight.labels[name], t, nearest=False)[0])
        local = xyz @ camera.R_cw.T + camera.t_cw
        away = local[:, :2] / local[:, 2:] - uv
        good &= np.linalg.norm(away, axis=1) * camera.K[0, 0] / scale <= GATE_PX
        z = np.maximum(local[:, 2], 0.5)
        J = np.zeros((len(t), 2, 3))
        J[:, 0, 0] = J[:, 1, 1] = 1 / z
        J[:, :, 2] = -local[:, :2] / z[:, None] ** 2
        J = J @ camera.R_cw * (camera.K[0, 0] / scale / LABEL_PX)
        information += J.swapaxes(1, 2) @ J
    return t[good], xyz[good], np.linalg.inv(information[good])


def run_kalman(t: Array, xyz: Array, covariance: Array, noise: float) -> Filtered:
    """Filter and smooth points, track by track.

    Args:
        t: (K,) s.
        xyz: (K, 3) m.
        covariance: (K, 3, 3) m².
        noise: White jerk, m²/s⁵.
    """
    bank = MotionBank(np.array([True]), np.array([noise]), np.ones(1), 1.0, 4.0, 1e-3)
    R = covariance + SMALLEST**2 * I3
    found = [np.zeros((0, 1 + 3 + 3 + 9))]
    first = 0
    while first < len(t) - 2:
        if not _begins(t, xyz, covariance, first):
            first += 1
            continue
        rows, first = _track(bank, t, xyz, R, first)
        found.append(rows)
    rows = np.concatenate(found)
    return Filtered(rows[:, 0], rows[:, 1:4], rows[:, 4:7], rows[:, 7:].reshape(-1, 3, 3))


def _begins(t: Array, xyz: Array, covariance: Array, k: int) -> bool:
    """Say whether points k … k + 2 may be one object's."""
    if t[k + 2] - t[k] > COAST:
        return False
    for a, b in ((k, k + 1), (k + 1, k + 2), (k, k + 2)):
        reach = FASTEST * (t[b] - t[a]) + 0.3 + 3 * np.sqrt(np.trace(covariance[b]))
        if np.linalg.norm(xyz[a] - xyz[b]) > reach:
            return False
    return True


def _track(bank: MotionBank, t: Array, xyz: Array, R: Array, first: int) -> tuple[Array, int]:
    """Follow the track that begins at points first … first + 2.

    Returns:
        Rows of t, position, smoothed position and its filtered covariance; where to go on.
    """
    k = first + 2
    span = t[k] - t[first]
    x = np.concatenate([xyz[k], (xyz[k] - xyz[first]) / span, np.zeros(3)])
    P = np.zeros((9, 9))
    P[:3, :3], P[6:, 6:] = R[k], 16 * I3
    P[3:6, 3:6] = (2 * np.trace(R[k]) / span**2 / 3 + 4) * I3
    steps, misses = [(t[k], x, P, x, P, I9)], 0
    k += 1
    while k < len(t) and t[k] - t[k - 1] <= COAST and misses < MISSES:
        F, Q = (part[0] for part in transition(bank, t[k] - steps[-1][0]))
        ahead, P_ahead = F @ x, F @ P @ F.T + Q
        x, P, misses = ahead, P_ahead, misses + 1
        S, y = P[:3, :3] + R[k], xyz[k] - x[:3]
        if y @ np.linalg.solve(S, y) < CHI2:
            K = P[:, :3] @ np.linalg.inv(S)
            x, P, misses = x + K @ y, P - K @ P[:3], 0
            P = (P + P.T) / 2
        steps.append((t[k], x, P, ahead, P_ahead, F))
        k += 1
    smoothed = [step[1] for step in steps]
    for m in range(len(steps) - misses - 2, -1, -1):
        _, _, _, ahead, P_ahead, F = steps[m + 1]
        gain = steps[m][2] @ F.T @ np.linalg.inv(P_ahead)
        smoothed[m] = steps[m][1] + gain @ (smoothed[m + 1] - ahead)
    rows = [
        np.concatenate([[at], x[:3], late[:3], P[:3, :3].ravel()])
        for (at, x, P, *_), late in zip(steps, smoothed, strict=True)
    ]
    return np.array(rows), k - misses if misses >= MISSES else k
