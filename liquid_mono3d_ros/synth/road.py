"""Simulated flights through the whole road: 2D trackers, association, live triangulation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import Kind, Points3D, nanoseconds
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flight_table import Flights, joined
from liquid_mono3d_ros.synth.flights import num_chunks
from liquid_mono3d_ros.synth.recordings import Measured, Recordings, record, with_measurements
from liquid_mono3d_ros.synth.rigs import UP
from liquid_mono3d_ros.synth.scene import ORIGIN, Shot, track
from liquid_mono3d_ros.tracking.detection import Detections


def through_the_road(conditions: Conditions, n: int, seed: int) -> Flights:
    """Return the first n flights of ``draw_flights``, their pixels taken through the whole road.

    Every camera has its tracker and every recording its triangulator, with default settings but
    for what they are told of calibration and clocks. The first point of each instant counts.

    Raises:
        ValueError: If the conditions ask for outliers, which are drawn among points, not pixels.
    """
    if conditions.outliers not in (0.0, (0.0, 0.0)):
        got = str(conditions.outliers)
        raise ValueError(complain("outliers", "0 on the road", got, "Use draw_flights."))
    chunks = (record(number, conditions, seed) for number in range(num_chunks(n)))
    left, parts = n, []
    for recordings in chunks:
        rows = range(min(left, len(recordings.family)))
        found = [_locate(recordings, row) for row in rows]
        parts.append(with_measurements(recordings, rows, found))
        left -= len(rows)
    return joined(parts)


def _locate(recordings: Recordings, row: int) -> Measured:
    """Return what the road measures of one track."""
    stamps = _nanoseconds(recordings.exposures.instants[row])
    frames = {stamp: k for k, stamp in enumerate(stamps)}
    seen, z = np.zeros(len(stamps), dtype=bool), np.zeros((len(stamps), 3))
    R, B = np.zeros((len(stamps), 3, 3)) + np.eye(3), np.zeros((len(stamps), 3, 3))
    for points in _points(recordings, row):
        k = frames.get(points.stamp)
        located = np.flatnonzero(points.kind == Kind.POINT)
        if k is not None and len(located):
            first = located[0]
            seen[k], z[k], R[k] = True, points.xyz[first], points.covariance[first]
            B[k] = np.nan_to_num(points.systematic_covariance[first])
    return seen, z, R, B


def _points(recordings: Recordings, row: int) -> Iterator[Points3D]:
    settings = GeometrySettings(
        calibration_sigma=float(recordings.calibration[row]),
        clock_sigma=float(recordings.clock[row]),
        pixel_acceleration=recordings.conditions.pixel_acceleration,
    )
    rig = _rig(recordings, row)
    triangulator = Triangulator(settings, rig)
    for tracks in track(_shots(recordings, row, rig), rig):
        yield from triangulator.add(tracks)


def _rig(recordings: Recordings, row: int) -> Rig:
    """Return the rig as it is believed to be."""
    rigs = recordings.exposures.rigs
    cameras = {}
    for c in np.flatnonzero(rigs.present[row]).tolist():
        (u, v), (width, height) = rigs.principal[row, c], rigs.size[row, c]
        focal, R_cw, name = rigs.focal[row, c], rigs.R_cw[row, c], f"camera{c}"
        cameras[name] = Camera(
            name=name,
            width=int(width),
            height=int(height),
            K=np.array([[focal, 0, u], [0, focal, v], [0, 0, 1]]),
            D=np.zeros(0),
            model="plumb_bob",
            R_cw=R_cw,
            t_cw=-R_cw @ rigs.centre[row, c],
            sigma_px=math.nan,
        )
    return Rig(cameras, "world", UP)


def _shots(recordings: Recordings, row: int, rig: Rig) -> list[Shot]:
    """Return every image's detection, in the order of exposure."""
    exposures = recordings.exposures
    sigma_px = float(exposures.sigma_px[row])
    times = exposures.stamps[row] + exposures.offsets[row][:, None]  # (C, K)
    shots = []
    for c, name in enumerate(rig.cameras):
        seen = exposures.detected[row, c]
        uv = exposures.uv[row, c] + exposures.rigs.principal[row, c]
        for k, stamp in enumerate(_nanoseconds(exposures.stamps[row, c])):
            count = int(seen[k])
            detections = Detections.at(uv[k : k + count], sigma_px)
            shots.append((times[c, k], Shot(name, stamp, detections, np.zeros(count, dtype=int))))
    return [shot for _, shot in sorted(shots, key=lambda item: float(item[0]))]


def _nanoseconds(t: Array) -> list[int]:
    return [ORIGIN + nanoseconds(value) for value in t.tolist()]
