"""Births through the filter of the node itself: when its tracks are confirmed."""

from __future__ import annotations

from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.persistence_scores import summary
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Kind, Points3D, Sighting, State, nanoseconds
from liquid_mono3d_ros.synth.births import Births

WAYS: tuple[dict[str, Any], ...] = (
    {"confirm_by": "count"},
    *(
        {"confirm_by": "persistence", "persistence_threshold": threshold}
        for threshold in (0.7, 0.8, 0.9)
    ),
)
"""Settings of the filter beside the defaults."""


def through_the_node(births: Births) -> list[dict[str, Any]]:
    """Return a row for each way of confirming; what a filter deleted may be born again."""
    rows = []
    for way in WAYS:
        settings = FilterSettings.from_flat({**way, "horizon": 0.0, "lag": 0})
        at = np.array([confirming_update(births, row, settings) for row in range(len(births))])
        found = summary(at, births.flights.t, births.lasting)
        lasting = np.isfinite(at) & births.lasting
        by_five = float((at[births.lasting] <= 5).mean())
        rows.append(
            {
                "node": ", ".join(f"{name} {value}" for name, value in way.items()),
                **{name: float(f"{value:.4g}") for name, value in found.items()},
                "confirmed_by_5_updates_percent": round(100 * by_five, 1),
                "latest_update": int(at[lasting].max()) if lasting.any() else None,
            }
        )
    return rows


def confirming_update(births: Births, row: int, settings: FilterSettings) -> float:
    """Return the update in which the filter confirms a track, from 1 on; inf for none."""
    track_filter = TrackFilter(settings)
    for k in range(births.flights.t.shape[1]):
        now = track_filter.update(points_at(births, row, k)).now
        if any(one.state == State.CONFIRMED for one in now.trajectories):
            return k + 1.0
    return float("inf")


def points_at(births: Births, row: int, frame: int) -> Points3D:
    """Return what the filter gets of one image of a track: one point, or none."""
    flights, stamp = births.flights, nanoseconds(1.0 + births.flights.t[row, frame])
    n = int(flights.seen[row, frame])
    cameras = range(int(births.cameras[row, frame]))
    sighting = tuple(Sighting(f"camera{c}", 1, stamp, np.full(2, np.nan), True) for c in cameras)
    B: Array = flights.B[row, frame]

    def nan(*shape: int) -> Array:
        return np.full((n, *shape), np.nan)

    return Points3D(
        stamp=stamp,
        frame_id="world",
        epoch=0,
        track_id=np.full(n, 1, dtype=np.uint64),
        kind=np.full(n, Kind.POINT, dtype=np.uint8),
        xyz=flights.z[row, frame][None][:n],
        covariance=flights.R[row, frame][None][:n],
        systematic_covariance=B[None][:n] if B.any() else nan(3, 3),
        ray_origin=nan(3),
        ray_direction=nan(3),
        ray_covariance=nan(2, 2),
        reprojection_error_px=nan(),
        parallax_rad=nan(),
        sightings=(sighting,) * n,
    )
