"""The filter in a few lines, for those who have positions and no ``Points3D``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from liquid_mono3d_ros.checks import Array, check_covariance, check_finite, check_shape, complain
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import (
    Kind,
    Points3D,
    Sighting,
    Trajectories,
    nanoseconds,
)


class LiquidKalman:
    """Filters positions of any number of tracks; remembers them between calls.

    A thin layer over ``TrackFilter``: positions, covariances and times in seconds go in.

    Args:
        settings: Of the filter; by default the liquid one.
        frame_id: Frame of the positions. In an optical frame what is down is not known.

    Example:
        >>> f = LiquidKalman(FilterSettings(filter="imm"))
        >>> for k in range(9):
        ...     found = f.update([7], [[0.1 * k, 0.0, 1.0]], [1e-4 * np.eye(3)], 0.05 * k)
        >>> print(f"{found.trajectories[0].velocity[0]:.1f} m/s")
        2.0 m/s
        >>> print(f"{f.predict(0.5).trajectories[0].xyz[0]:.1f} m")
        1.0 m
    """

    def __init__(self, settings: FilterSettings | None = None, frame_id: str = "world") -> None:
        self.filter = TrackFilter(settings or FilterSettings(filter="liquid"))
        self.frame_id = frame_id

    @classmethod
    def load(cls, weights: str | Path = "default", frame_id: str = "world") -> LiquidKalman:
        """Return the filter with the package's weights, or with those of a file.

        Raises:
            ValueError: If the weights cannot be used.
        """
        path = "" if weights == "default" else str(weights)
        loaded = cls(FilterSettings(filter="liquid", weights=path), frame_id)
        if loaded.filter.fallback_reason:
            cure = "Name another file, or FilterSettings(filter='imm')."
            raise ValueError(complain("weights", "usable", loaded.filter.fallback_reason, cure))
        return loaded

    def update(
        self,
        track_ids: Sequence[int],
        xyz: npt.ArrayLike,
        covariance: npt.ArrayLike,
        stamp: float,
        systematic_covariance: npt.ArrayLike | None = None,
    ) -> Trajectories:
        """Take in the positions of one instant.

        Args:
            track_ids: N numbers, each object's own.
            xyz: (N, 3) m.
            covariance: Of the noise that is new in each measurement, (N, 3, 3) m².
            stamp: s.
            systematic_covariance: Of the error that stays (calibration, clock), (N, 3, 3) m².

        Returns:
            Every track at ``stamp``, in order of birth.

        Raises:
            ValueError: If shapes disagree, or a number is not finite or no covariance.
        """
        n = len(track_ids)
        place = _numbers("xyz", xyz, (n, 3))
        white = _numbers("covariance", covariance, (n, 3, 3))
        check_covariance("covariance", white)
        slow = np.full_like(white, np.nan)
        if systematic_covariance is not None:
            slow = _numbers("systematic_covariance", systematic_covariance, (n, 3, 3))
            check_covariance("systematic_covariance", slow)
        return self.filter.update(self._points(track_ids, place, white, slow, stamp)).now

    def predict(self, stamp: float) -> Trajectories:
        """Say where the tracks are at a later time, s; changes nothing.

        Raises:
            ValueError: If the time is before the newest measurements.
        """
        return self.filter.predict(nanoseconds(stamp))

    def drop(self, track_id: int) -> None:
        """End a track; the next update says so.

        Raises:
            ValueError: If there is no such track.
        """
        self.filter.drop(track_id)

    def _points(
        self, track_ids: Sequence[int], xyz: Array, white: Array, slow: Array, stamp: float
    ) -> Points3D:
        n, when = len(xyz), nanoseconds(stamp)
        unknown = np.full((n, 3), np.nan)
        nothing = Sighting("", 0, when, np.full(2, np.nan), measured=True)
        return Points3D(
            stamp=when,
            frame_id=self.frame_id,
            epoch=0,
            track_id=np.array(track_ids, dtype=np.uint64),
            kind=np.full(n, int(Kind.POINT), dtype=np.uint8),
            xyz=xyz,
            covariance=white,
            systematic_covariance=slow,
            ray_origin=unknown,
            ray_direction=unknown,
            ray_covariance=np.full((n, 2, 2), np.nan),
            reprojection_error_px=np.full(n, np.nan),
            parallax_rad=np.full(n, np.nan),
            sightings=((nothing,),) * n,
        )


def _numbers(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.array(value, dtype=float).reshape(shape if not np.size(value) else np.shape(value))
    check_shape(name, array, shape)
    check_finite(name, array)
    return array
