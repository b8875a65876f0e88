"""The tracks of one camera at any instant near its newest images.

Cameras that run freely never expose together. Pairing nearest images errs by v·dt·Z/b in depth,
unseen by the reprojection error when the motion is along the baseline; so tracks are brought to a
common time here, each with the time its own row was exposed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rotation import slerp
from liquid_mono3d_ros.records import State, Tracks2D, nanoseconds, seconds

Pose = tuple[Array, Array]
"""``R_cw`` (3, 3) and ``t_cw`` (3,) of a camera that moves."""


@dataclass(frozen=True)
class Evaluated:
    """The living tracks of one camera at one instant; N tracks, raw pixels.

    Attributes:
        stamp: Of the newest image used, ns.
        track_id: N numbers.
        uv: (N, 2) px.
        covariance: Of ``uv``, (N, 2, 2) px².
        velocity: Of ``uv``, (N, 2) px/s; NaN when not known.
        fresh: A detection in an image used stands behind it, (N,) bool.
        measured: It is seen on both sides or at the instant itself, not extrapolated, (N,) bool.
        class_id: One word per track, empty when not known; or no words at all.
        pose: Of the camera at that instant; None when it does not move.
    """

    stamp: int
    track_id: list[int]
    uv: Array
    covariance: Array
    velocity: Array
    fresh: Array
    measured: Array
    class_id: tuple[str, ...]
    pose: Pose | None


@dataclass(frozen=True)
class _Image:
    """Tracks and when they were seen by the camera's time_offset, ns; ``rows``: id → row."""

    time: int
    tracks: Tracks2D
    covariance: Array
    delay: Array
    rows: dict[int, int]
    pose: Pose | None


class TrackBuffer:
    """Remembers the last images of one camera and evaluates its tracks between and after them.

    Args:
        camera: Whose clock and rolling shutter apply.
        memory: How long images are kept, s.
        max_bracket: Longest gap between two images that is interpolated, s.
        max_extrapolation: Longest way beyond the newest image, s.
        acceleration: One standard deviation of what inter- and extrapolation ignore, px/s².

    Attributes:
        correction: What the clock was found to be off besides its ``time_offset``, ns.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        memory: float,
        max_bracket: float,
        max_extrapolation: float,
        acceleration: float,
    ) -> None:
        self._camera = camera
        self._offset = nanoseconds(camera.time_offset)
        self._memory = nanoseconds(memory)
        self._max_bracket = nanoseconds(max_bracket)
        self._max_extrapolation = max_extrapolation
        self._acceleration = acceleration
        self._epoch = 0
        self.correction = 0
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        self._times: list[int] = []
        self._images: list[_Image] = []

    def true_time(self, stamp: int) -> int:
        """Return when the middle row of an image was exposed, ns."""
        return stamp + self._offset + self.correction

    def add(self, tracks: Tracks2D, pose: Pose | None = None) -> int:
        """Remember an image, newer than those before, and return its true time, ns.

        A new epoch of the tracker gives the numbers to other tracks: older images are forgotten.
        """
        if self._images and tracks.epoch != self._epoch:
            self.reset()
        self._epoch = tracks.epoch
        image = self._image(tracks, pose)
        self._times.append(image.time)
        self._images.append(image)
        old = bisect_left(self._times, image.time - self._memory)
        del self._times[:old], self._images[:old]
        return self.true_time(tracks.stamp)

    def evaluate(self, time: int, correction: int | None = None) -> Evaluated | None:
        """Return the tracks at a true time, ns; None when no image is near enough.

        Between two images: linear interpolation with variance ``(1-w)² Σ0 + w² Σ1`` and that of
        the bend which a straight line ignores. Beyond the newest: its Kalman velocity, with a
        covariance that grows.

        Args:
            time: True time, ns.
            correction: In place of the buffer's own, ns.
        """
        time -= self.correction if correction is None else correction
        after = bisect_left(self._times, time)
        if after < len(self._times) and self._times[after] == time:
            return self._extrapolate(after, time)
        if 0 < after < len(self._times):
            if self._times[after] - self._times[after - 1] <= self._max_bracket:
                return self._interpolate(after - 1, after, time)
            if time - self._times[after - 1] > self._times[after] - time:
                return self._extrapolate(after, time)
        elif after == 0:
            return self._extrapolate(0, time) if self._times else None
        return self._extrapolate(after - 1, time)

    def velocities(self, time: int, half_span: int, track_ids: Sequence[int]) -> Array:
        """Return the mean image velocity of tracks about an instant, (N, 2) px/s.

        Of the images nearest to the ends of the span; NaN where a track was not measured in both.

        Args:
            time: By the camera's ``time_offset``, uncorrected, ns.
            half_span: To either side, ns.
            track_ids: N numbers.
        """
        found = np.full((len(track_ids), 2), np.nan)
        if len(self._times) < 2:
            return found
        first, last = (
            self._images[self._nearest(t)] for t in (time - half_span, time + half_span)
        )
        for row, track_id in enumerate(track_ids):
            i, j = first.rows.get(track_id), last.rows.get(track_id)
            if i is None or j is None:
                continue
            span = seconds(last.time - first.time) + last.delay[j] - first.delay[i]
            if span > 0 and first.tracks.measured[i] and last.tracks.measured[j]:
                found[row] = (last.tracks.uv[j] - first.tracks.uv[i]) / span
        return found

    def _nearest(self, time: int) -> int:
        after = bisect_left(self._times, time)
        if after == 0 or after == len(self._times):
            return min(after, len(self._times) - 1)
        return after - (time - self._times[after - 1] < self._times[after] - time)

    def histories(self) -> dict[int, tuple[Array, Array]]:
        """Return the detections of each track that still lives, by the camera's ``time_offset``.

        Returns:
            track_id → times, (T,) ns, and raw pixels, (T, 2).
        """
        if not self._images:
            return {}
        found: dict[int, tuple[list[int], list[Array]]] = {
            k: ([], []) for k in self._images[-1].rows
        }
        for image in self._images:
            for track_id, (times, pixels) in found.items():
                row = image.rows.get(track_id)
                if row is not None and image.tracks.measured[row]:
                    times.append(image.time + nanoseconds(image.delay[row]))
                    pixels.append(image.tracks.uv[row])
        return {
            track_id: (np.array(times), np.array(pixels))
            for track_id, (times, pixels) in found.items()
            if times
        }

    def _image(self, tracks: Tracks2D, pose: Pose | None) -> _Image:
        state = tracks.state
        living = state != State.DELETED  # the filter confirms objects, from their first image on
        variance = tracks.covariance[:, [0, 1], [0, 1]]
        known = np.isfinite(tracks.uv).all(axis=1) & np.isfinite(tracks.covariance).all(
            axis=(1, 2)
        )
        living &= known & (variance > 0).all(axis=1)
        rows = {int(tracks.track_id[row]): row for row in np.flatnonzero(living).tolist()}
        covariance = tracks.covariance
        if self._camera.sigma_px == self._camera.sigma_px:  # not NaN
            own = np.eye(2) * self._camera.sigma_px**2
            covariance = np.where(tracks.measured[:, None, None], own, covariance)
        row = np.where(known, tracks.uv[:, 1], 0.5 * tracks.height)
        delay = (row / tracks.height - 0.5) * self._camera.readout
        return _Image(tracks.stamp + self._offset, tracks, covariance, delay, rows, pose)

    def _interpolate(self, before: int, after: int, time: int) -> Evaluated:
        a, b = self._images[before], self._images[after]
        both = [track_id for track_id in b.rows if track_id in a.rows]
        i, j = [a.rows[k] for k in both], [b.rows[k] for k in both]
        start = seconds(a.time - time) + a.delay[i]  # (N,), s from the common time
        span = seconds(b.time - a.time) + b.delay[j] - a.delay[i]
        w = (-start / span)[:, None]
        shift = b.tracks.uv[j] - a.tracks.uv[i]
        seen_before, seen_after = a.tracks.measured[i], b.tracks.measured[j]
        weight = w[..., None]
        bend = 0.5 * self._acceleration * start * (start + span)  # (N,) px
        bent = (bend * bend)[:, None, None] * np.eye(2)
        return Evaluated(
            stamp=b.tracks.stamp,
            track_id=both,
            uv=a.tracks.uv[i] + w * shift,
            covariance=(1 - weight) ** 2 * a.covariance[i] + weight**2 * b.covariance[j] + bent,
            velocity=shift / span[:, None],
            fresh=seen_before | seen_after,
            measured=seen_before & seen_after,
            class_id=_classes(b, j),
            pose=_pose_between(a, b, time),
        )

    def _extrapolate(self, index: int, time: int) -> Evaluated | None:
        image = self._images[index]
        tracks = image.tracks
        ahead = seconds(time - image.time)
        if abs(ahead) > self._max_extrapolation:
            return None
        rows = list(image.rows.values())
        dt = ahead - image.delay[rows]  # (N,)
        velocity = self._velocity(index)[rows]
        uv, covariance = tracks.uv[rows], image.covariance[rows]
        if dt.any():
            moved = np.where(dt[:, None] == 0, 0.0, velocity * dt[:, None])
            spread = (0.5 * self._acceleration * dt * dt) ** 2
            growth = 1.0 + 2.0 * (dt / self._interval(index)) ** 2
            uv = uv + moved
            covariance = covariance * growth[:, None, None] + spread[:, None, None] * np.eye(2)
        keep = np.flatnonzero(np.isfinite(uv).all(axis=1)).tolist()
        names, kept_rows = list(image.rows), [rows[k] for k in keep]
        measured = tracks.measured[kept_rows]
        return Evaluated(
            stamp=tracks.stamp,
            track_id=[names[k] for k in keep],
            uv=uv[keep],
            covariance=covariance[keep],
            velocity=velocity[keep],
            fresh=measured,
            measured=measured & (ahead == 0.0),
            class_id=_classes(image, kept_rows),
            pose=image.pose,
        )

    def _velocity(self, index: int) -> Array:
        """Return the tracker's velocities, or differences to the image before, (N, 2) px/s."""
        image = self._images[index]
        velocity = image.tracks.velocity
        unknown = np.flatnonzero(~np.isfinite(velocity).all(axis=1)).tolist()
        if not unknown:
            return velocity
        velocity = velocity.copy()
        velocity[unknown] = np.nan
        if index == 0:
            return velocity
        before = self._images[index - 1]
        for row in unknown:
            old = before.rows.get(int(image.tracks.track_id[row]))
            if old is not None:
                span = seconds(image.time - before.time) + image.delay[row] - before.delay[old]
                velocity[row] = (image.tracks.uv[row] - before.tracks.uv[old]) / span
        return velocity

    def _interval(self, index: int) -> float:
        """Return the time between images, s: over it the velocity is as uncertain as a pixel."""
        if index == 0:
            return self._max_extrapolation
        return seconds(self._times[index] - self._times[index - 1])


def _classes(image: _Image, rows: list[int]) -> tuple[str, ...]:
    words = image.tracks.class_id
    return tuple(words[row] for row in rows) if words else ()


def _pose_between(a: _Image, b: _Image, time: int) -> Pose | None:
    """Return the camera's pose on the straight way from one image's to the next one's."""
    if a.pose is None or b.pose is None:
        return b.pose
    w = (time - a.time) / (b.time - a.time)
    R_cw = slerp(a.pose[0], b.pose[0], w)
    centre = -(1 - w) * a.pose[0].T @ a.pose[1] - w * b.pose[0].T @ b.pose[1]
    return R_cw, -R_cw @ centre
