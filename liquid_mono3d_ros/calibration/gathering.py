"""Tracks2D of N cameras → Observations: every camera's pixel of each object at common times.

The triangulation says which tracks are one object, with a gate so wide that a camera that was
knocked still takes part; the pixels are then those of the tracks themselves. Velocities are slopes
over a while, evenly on both sides: from one image to the next they are noise, and the same noise
as in the pixel, which a clock offset would be made of.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.timing import Evaluated, TrackBuffer
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import SECOND, Kind, Points3D, Sighting, Tracks2D

HALF_SPAN = 0.1
"""Velocities are slopes over twice this at most, s."""


def gather(
    rig: Rig, tracks: Iterable[Tracks2D], settings: GeometrySettings | None = None
) -> Observations:
    """Return where each camera saw each object whenever an image of the reference was due.

    Args:
        rig: The cameras, as well as they are known.
        tracks: Of all cameras, in the order of their stamps.
        settings: Of the triangulation; ``join_px`` is how far a camera may be off.

    Raises:
        ValueError: If no object was seen by two cameras.
    """
    settings = settings or GeometrySettings()
    wide = dataclasses.replace(settings, gate_px=max(settings.gate_px, settings.join_px))
    triangulator = Triangulator(wide, rig)
    buffers = {
        name: TrackBuffer(
            camera,
            memory=settings.memory,
            max_bracket=settings.max_bracket,
            max_extrapolation=settings.max_extrapolation,
            acceleration=settings.pixel_acceleration,
        )
        for name, camera in rig.cameras.items()
    }
    reference = settings.reference_camera or next(iter(rig.cameras))
    columns: list[_Column] = []
    for one in tracks:
        if one.camera not in buffers:
            continue
        buffers[one.camera].add(one)
        for points in triangulator.add(one):
            time = buffers[reference].true_time(points.stamp)
            evaluated = {name: buffer.evaluate(time) for name, buffer in buffers.items()}
            columns += _columns(points, time, evaluated)
    if not columns:
        cure = "Check the rig and the tracks (liquid-mono3d doctor RIG --tracks FILE)."
        raise ValueError(complain("tracks", "of objects seen by two cameras", "none", cure))
    return _stack(tuple(rig.cameras), columns)


@dataclasses.dataclass(frozen=True)
class _Column:
    """One object at one instant: camera → (uv, sigma_px)."""

    time: int
    track: tuple[int, int]
    seen: dict[str, tuple[Array, float]]


def _columns(
    points: Points3D, time: int, evaluated: dict[str, Evaluated | None]
) -> Iterable[_Column]:
    for row in np.flatnonzero(points.kind == Kind.POINT).tolist():
        found = {
            sighting.camera: pixel
            for sighting in points.sightings[row]
            if (pixel := _pixel(sighting, evaluated[sighting.camera])) is not None
        }
        if len(found) >= 2:
            yield _Column(time, (points.epoch, int(points.track_id[row])), found)


def _pixel(sighting: Sighting, tracks: Evaluated | None) -> tuple[Array, float] | None:
    if tracks is None or not sighting.measured or sighting.track2d_id not in tracks.track_id:
        return None
    row = tracks.track_id.index(sighting.track2d_id)
    sigma = float(np.sqrt(np.trace(tracks.covariance[row]) / 2))
    return tracks.uv[row], sigma


def _stack(cameras: tuple[str, ...], columns: list[_Column]) -> Observations:
    shape = (len(cameras), len(columns))
    uv = np.full((*shape, 2), np.nan)
    sigma_px, seen = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    numbers: defaultdict[tuple[int, int], int] = defaultdict(lambda: len(numbers) + 1)
    for n, column in enumerate(columns):
        for name, pixel in column.seen.items():
            c = cameras.index(name)
            uv[c, n], sigma_px[c, n] = pixel
            seen[c, n] = True
    time = np.array([column.time for column in columns], dtype=np.int64)
    track_id = np.array([numbers[column.track] for column in columns])
    return Observations(
        cameras=cameras,
        time=time,
        uv=uv,
        velocity=_velocities(time, uv, seen, track_id),
        sigma_px=sigma_px,
        seen=seen,
        track_id=track_id,
    )


def _velocities(time: Array, uv: Array, seen: Array, track_id: Array) -> Array:
    """Return the velocity of each object in each camera, (C, N, 2) px/s; NaN at its ends."""
    velocity = np.full(uv.shape, np.nan)
    for track in np.unique(track_id):
        for c in range(len(uv)):
            columns = np.flatnonzero(seen[c] & (track_id == track))
            columns = columns[np.argsort(time[columns], kind="stable")]
            if len(columns):
                t = (time[columns] - time[columns[0]]) / SECOND
                velocity[c, columns] = _slopes(t, uv[c, columns])
    return velocity


def _slopes(t: Array, uv: Array) -> Array:
    """Return the slopes (M, 2) of lines through as many neighbours on either side, at least two.

    Such a slope does not depend on the noise of the pixel in its middle.
    """
    slopes = np.full(uv.shape, np.nan)
    first, last = np.searchsorted(t, t - HALF_SPAN), np.searchsorted(t, t + HALF_SPAN, "right") - 1
    for i, reach in enumerate(np.minimum(np.arange(len(t)) - first, last - np.arange(len(t)))):
        if reach >= 2:
            near = slice(i - reach, i + reach + 1)
            dt = t[near] - t[near].mean()
            slopes[i] = dt @ uv[near] / (dt @ dt)
    return slopes
