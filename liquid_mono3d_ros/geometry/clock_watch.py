"""Watches the clocks while tracks come in: instants to the estimator, corrections back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from liquid_mono3d_ros.geometry.acquisition import STEP, find_offset
from liquid_mono3d_ros.geometry.association import Cluster
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.clock import (
    MOVES,
    ClockEstimate,
    ClockEstimator,
    ClockSettings,
    Sighted,
)
from liquid_mono3d_ros.geometry.timing import TrackBuffer
from liquid_mono3d_ros.geometry.view import View, view
from liquid_mono3d_ros.records import nanoseconds

HALF_SPAN = 0.2
"""Image velocities are differences over twice this, s: from one image to the next they are noise,
and the same noise as in the pixel. What they miss of a turn only slows the convergence."""
VELOCITY_NOISE = math.sqrt(0.5) / HALF_SPAN
"""Standard deviation of such a velocity over that of a pixel, 1/s."""
MARGIN = 0.05
"""An instant looked at lies further back by this, s, so that images lie on both sides of it."""
SEARCH_EVERY = 1.0
"""Seconds between two searches for the clock of a camera whose tracks fit no other's."""
MOST = 5
"""Objects looked at in one instant."""


class ClockWatch:
    """Remembers when it looked last; the estimator remembers what was seen.

    Args:
        settings: Of the clocks; with ``off`` it never looks.
        cameras: Of the rig.
        reference: Name of the camera whose clock is held.
        buffers: The tracks of each camera; their corrections are set with ``apply``.
        calibration_sigma: Unknown turn of each camera, per axis, rad.
        gate_px: Largest distance of tracks that fit, px.
        acceleration: Of pixels, one standard deviation, px/s².
    """

    def __init__(
        self,
        settings: ClockSettings,
        cameras: Mapping[str, Camera],
        reference: str,
        buffers: Mapping[str, TrackBuffer],
        *,
        calibration_sigma: float,
        gate_px: float,
        acceleration: float,
    ) -> None:
        self._settings = settings
        self._buffers = buffers
        self._reference = reference
        self._gate_px = gate_px
        self._acceleration = acceleration
        self._estimator = ClockEstimator(
            tuple(cameras), reference, settings, calibration_sigma=calibration_sigma
        )
        self.reset()

    def reset(self) -> None:
        """Begin a new epoch; what is known of the clocks stays."""
        self._searched: int | None = None
        self._estimator.rest()

    def estimates(self) -> Mapping[str, ClockEstimate]:
        """Return how far each clock is off; nothing when they are not watched."""
        return {} if self._settings.estimate == "off" else self._estimator.estimates()

    def sigma(self, camera: str) -> float:
        """Return one standard deviation of a clock's correction, s; 0 when it is not corrected."""
        applied = self._settings.estimate == "apply"
        return self._estimator.estimates()[camera].sigma if applied else 0.0

    def look(self, clusters: Sequence[Cluster], cameras: Mapping[str, Camera], time: int) -> bool:
        """Learn from the objects of an instant that is not too near the last one.

        Returns:
            Whether a clock was corrected by a leap, so that its tracks now fit other objects.
        """
        if self._settings.estimate == "off" or not self._estimator.due(time):
            return False
        self._estimator.advance(time)
        views = self._views(cameras, time)
        for cluster in sorted(clusters, key=lambda c: -len(c.members))[:MOST]:
            sighted = self._sighted(cluster, views)
            if sighted is not None:
                self._estimator.take(sighted)
        found = self._search(clusters, cameras, time)
        if self._settings.estimate != "apply":
            return False
        for name, buffer in self._buffers.items():
            buffer.correction = nanoseconds(self._estimator.offset(name))
        return found

    def _views(self, cameras: Mapping[str, Camera], time: int) -> dict[str, View]:
        """Return the tracks at an instant, by the offsets estimated so far."""
        offsets = {name: nanoseconds(self._estimator.offset(name)) for name in self._buffers}
        pending = max(abs(offsets[n] - b.correction) for n, b in self._buffers.items())
        instant = time - pending - nanoseconds(HALF_SPAN + MARGIN)
        views = {}
        for name, buffer in self._buffers.items():
            tracks = buffer.evaluate(instant, offsets[name])
            if tracks is not None:
                velocity = buffer.velocities(
                    instant - offsets[name], nanoseconds(HALF_SPAN), tracks.track_id
                )
                views[name] = view(cameras[name], replace(tracks, velocity=velocity))
        return views

    def _sighted(self, cluster: Cluster, views: Mapping[str, View]) -> Sighted | None:
        """Return where the cameras saw an object; None when fewer than two did."""
        rows = {
            name: row
            for name, track in cluster.members.items()
            if name in views
            and name not in cluster.left_out
            and (row := views[name].rows.get(track)) is not None
            and views[name].measured[row]
            and np.isfinite(views[name].velocity[row]).all()
        }
        chosen = [(views[name], row) for name, row in rows.items()]
        if len(rows) < 2 or not any(_moves(v, row) for v, row in chosen):
            return None
        bend = [
            self._acceleration / np.sqrt(abs(np.linalg.det(v.scale[row]))) for v, row in chosen
        ]
        return Sighted(
            cameras=[self._estimator.names.index(name) for name in rows],
            track=[cluster.members[name] for name in rows],
            P=np.array([v.camera.P for v, _ in chosen]),
            uv=np.array([v.uv[row] for v, row in chosen]),
            velocity=np.array([v.velocity[row] for v, row in chosen]),
            velocity_sigma=VELOCITY_NOISE,
            covariance=np.array([v.covariance[row] for v, row in chosen]),
            bend=np.array(bend),
        )

    def _search(
        self, clusters: Sequence[Cluster], cameras: Mapping[str, Camera], time: int
    ) -> bool:
        """Look for the offset of cameras that share no object with the reference."""
        if self._searched is None:
            self._searched = time
        if time - self._searched < nanoseconds(SEARCH_EVERY):
            return False
        self._searched = time
        met = _met({self._reference}, clusters)
        lonely = [name for name in self._buffers if name not in met]
        if not lonely or not self._settings.max_offset:
            return False
        found = False
        histories = {name: buffer.histories() for name, buffer in self._buffers.items()}
        for name in lonely:
            for other in sorted(met, key=lambda n: (n != self._reference, n)):
                apart = find_offset(
                    cameras[other],
                    cameras[name],
                    histories[other],
                    histories[name],
                    self._settings.max_offset,
                    self._gate_px,
                )
                if apart is not None:
                    self._estimator.set(name, apart + self._estimator.offset(other), STEP)
                    found = True
                    break
        return found


def _met(cameras: set[str], clusters: Sequence[Cluster]) -> set[str]:
    """Return the cameras that share objects with these, directly or through others."""
    met = set(cameras)
    sharing = [c.members.keys() - c.left_out for c in clusters if c.located]
    for _ in range(len(sharing)):
        for names in sharing:
            if names & met:
                met |= names
    return met


def _moves(view: View, row: int) -> bool:
    """Return whether a track moves by more than its noise."""
    noise = np.trace(view.covariance[row]) * VELOCITY_NOISE**2
    return bool(view.velocity[row] @ view.velocity[row] > MOVES**2 * noise)
