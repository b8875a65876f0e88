"""By how much two clocks are apart when no track of one camera fits any of the other.

Each track of one camera is held against those of the other, shifted in time step by step. At the
right shift the rays of the same object meet, but for what a wrongly calibrated camera misses; at
all others they miss by more the faster the object moves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.triangulation import turning

Histories = Mapping[int, tuple[Array, Array]]
"""track_id → times, (T,) ns, and raw pixels, (T, 2)."""

STEP = 0.01
"""Between the offsets tried, s; an offset found is good to about this."""
SAMPLES = 40
"""Instants at which a track is compared with another."""
LONGEST = 5
"""Tracks of each camera that are compared, the longest ones."""
FAR = 1e6
"""Distance of tracks that are hardly seen together, px."""
TURN = 0.05
"""A camera may be turned by so much, rad for one px of noise: about 3 degrees."""
CONTRAST = 0.35
"""The best offset misses by at most this share of what the others miss by, in the median."""


def find_offset(
    a: Camera,
    b: Camera,
    seen_by_a: Histories,
    seen_by_b: Histories,
    max_offset: float,
    gate_px: float,
) -> float | None:
    """Return what has to be added to the times of ``b`` so that its tracks fit those of ``a``, s.

    None when no offset stands out: nothing moves, all moves along the epipolar lines, or the
    cameras do not see the same.

    Args:
        a: Camera whose clock is held.
        b: The other one.
        seen_by_a: Tracks of ``a``.
        seen_by_b: Tracks of ``b``.
        max_offset: Largest offset tried, s.
        gate_px: Largest epipolar distance of a track that fits, in the median, px.
    """
    offsets = np.arange(-round(max_offset / STEP), round(max_offset / STEP) + 1) * STEP
    misses = [
        best
        for track in _longest(seen_by_a)
        if (best := _least_miss(a, b, track, _longest(seen_by_b), offsets)) is not None
    ]
    if not misses:
        return None
    miss = np.median(misses, axis=0)  # (K,) px
    k = int(np.nanargmin(miss))
    others = min(float(np.nanmedian(miss)), float(miss[len(miss) // 2]))  # zero among them
    stands_out = miss[k] < min(gate_px, CONTRAST * others)
    inside = 0 < k < len(offsets) - 1
    return float(offsets[k]) if stands_out and inside else None


def _longest(histories: Histories) -> list[tuple[Array, Array]]:
    ordered = sorted(histories.values(), key=lambda h: -len(h[0]))
    return [history for history in ordered[:LONGEST] if len(history[0]) >= SAMPLES // 2]


def _least_miss(
    a: Camera,
    b: Camera,
    track: tuple[Array, Array],
    others: list[tuple[Array, Array]],
    offsets: Array,
) -> Array | None:
    """Return how far the best of the others is from a track at each offset, (K,) px."""
    if not others:
        return None
    times, pixels = track
    chosen = np.unique(np.linspace(0, len(times) - 1, SAMPLES).round().astype(int))
    rays = a.undistort(pixels[chosen])
    misses = [_miss(a, b, times[chosen], rays, other, offsets) for other in others]
    return np.asarray(np.min(misses, axis=0))


def _miss(
    a: Camera, b: Camera, times: Array, uv: Array, other: tuple[Array, Array], offsets: Array
) -> Array:
    """Return the median epipolar distance of two tracks at each offset, (K,) px.

    What a turn of the second camera explains is taken out.
    """
    origin = times[0]
    seconds = (times - origin) / 1e9
    other_seconds = (other[0] - origin) / 1e9
    wanted = seconds - offsets[:, None]  # (K, S), by the clock of b
    normalised = b.undistort(other[1])
    at = np.stack([np.interp(wanted, other_seconds, normalised[:, i]) for i in (0, 1)], axis=-1)
    rays_a = np.append(uv, np.ones((len(uv), 1)), axis=1) @ a.R_cw  # (S, 3) in the world
    rays_b = np.append(at, np.ones((*at.shape[:2], 1)), axis=2) @ b.R_cw  # (K, S, 3)
    normal = np.cross(b.centre - a.centre, rays_a)  # (S, 3), of the epipolar planes
    line = normal @ b.R_cw.T  # in the camera's frame
    px = np.hypot(line[:, 0], line[:, 1]) / b.K[0, 0]
    scale = np.where(px > 0, 1 / np.where(px > 0, px, 1.0), 0.0)
    distance = np.einsum("ksi,si->ks", rays_b, normal) * scale  # (K, S) px
    covered = (wanted >= other_seconds[0]) & (wanted <= other_seconds[-1]) & np.isfinite(distance)
    enough = np.count_nonzero(covered, axis=1) >= SAMPLES // 4
    by_turn = np.einsum("si,ksij->ksj", line[:, :2] * scale[:, None], turning(at))  # (K, S, 3)
    distance = _without(np.where(covered, distance, 0.0), np.where(covered[..., None], by_turn, 0))
    return np.where(enough, np.nanmedian(np.where(covered, np.abs(distance), np.nan), axis=1), FAR)


def _without(distance: Array, by_turn: Array) -> Array:
    """Return what is left of distances (K, S) px when the second camera may have been turned."""
    columns = by_turn.swapaxes(1, 2)  # (K, 3, S) px/rad
    H = columns @ by_turn + np.eye(3) / TURN**2
    turn = np.linalg.solve(H, columns @ distance[..., None])
    return np.asarray(distance - (by_turn @ turn)[..., 0])
