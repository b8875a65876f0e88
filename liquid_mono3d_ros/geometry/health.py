"""Which camera is silent, slow or disagrees with the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.clock import ClockEstimate
from liquid_mono3d_ros.records import seconds

MIN_BASELINE = 1e-3
"""Centres nearer than this, m, are one place."""
NO_CLOCKS: Mapping[str, ClockEstimate] = MappingProxyType({})
CLOCK_LIMIT = 0.004
"""A clock off by more, s, is a problem: 2 cm at 5 m/s."""


@dataclass(frozen=True)
class CameraHealth:
    """How one camera does.

    Attributes:
        rate: Of its images by their stamps, Hz; NaN when not known.
        residual_px: Median length of measured minus projected, px; NaN when not known.
        bias_px: Median of measured minus projected, (2,) px; NaN when not known. Large, when the
            camera has moved since it was calibrated.
        last_stamp: Of its newest image, ns; None before the first.
        num_images: Received in this epoch.
        clock: How far its clock is off; None when that is not watched.
        problems: A sentence for each thing that is wrong.
    """

    rate: float
    residual_px: float
    bias_px: Array
    last_stamp: int | None
    num_images: int
    clock: ClockEstimate | None
    problems: tuple[str, ...]


class HealthMonitor:
    """Remembers the newest stamps and residuals of each camera.

    Args:
        names: Of the cameras.
        limit_px: A median residual above it is a problem.
        silent_after: A camera behind the newest stamp by more is silent, ns.
    """

    def __init__(self, names: Iterable[str], *, limit_px: float, silent_after: int) -> None:
        self._limit_px = limit_px
        self._silent_after = silent_after
        self._names = tuple(names)
        self.reset()

    def reset(self) -> None:
        """Forget every stamp and residual."""
        self._stamps: dict[str, deque[int]] = {name: deque(maxlen=30) for name in self._names}
        self._residuals: dict[str, deque[Array]] = {n: deque(maxlen=200) for n in self._names}
        self._count = dict.fromkeys(self._names, 0)

    def add_image(self, camera: str, stamp: int) -> None:
        """Take notice of an image."""
        self._stamps[camera].append(stamp)
        self._count[camera] += 1

    def add_residual(self, camera: str, residual_px: Array) -> None:
        """Take notice of measured minus projected, (2,) px, also of a view that was left out."""
        self._residuals[camera].append(residual_px)

    def report(
        self, cameras: Mapping[str, Camera], clocks: Mapping[str, ClockEstimate] = NO_CLOCKS
    ) -> dict[str, CameraHealth]:
        """Return how each camera does, at the poses given, with what its clock was found to be."""
        newest = max((stamps[-1] for stamps in self._stamps.values() if stamps), default=None)
        return {
            name: self._camera(name, cameras, newest, clocks.get(name)) for name in self._names
        }

    def _camera(
        self,
        name: str,
        cameras: Mapping[str, Camera],
        newest: int | None,
        clock: ClockEstimate | None,
    ) -> CameraHealth:
        stamps, residuals = self._stamps[name], np.array(self._residuals[name]).reshape(-1, 2)
        rate, length, bias = float("nan"), float("nan"), np.full(2, np.nan)
        if len(stamps) >= 2:
            rate = (len(stamps) - 1) / seconds(stamps[-1] - stamps[0])
        if len(residuals):
            length = float(np.median(np.hypot(*residuals.T)))
            bias = np.median(residuals, axis=0)
        return CameraHealth(
            rate=rate,
            residual_px=length,
            bias_px=bias,
            last_stamp=stamps[-1] if stamps else None,
            num_images=self._count[name],
            clock=clock,
            problems=(
                *self._problems(name, cameras, newest, length, bias),
                *_clock_problems(name, clock),
            ),
        )

    def _problems(
        self,
        name: str,
        cameras: Mapping[str, Camera],
        newest: int | None,
        length: float,
        bias: Array,
    ) -> Iterable[str]:
        stamps = self._stamps[name]
        if not stamps:
            yield f"no tracks of {name}: is its camera running and its topic connected?"
        elif newest is not None and newest - stamps[-1] > self._silent_after:
            yield f"{name} is silent: {seconds(newest - stamps[-1]):.1f} s behind the newest stamp"
        if length > self._limit_px:
            yield (
                f"{name} disagrees with the other cameras by ({bias[0]:.1f}, {bias[1]:.1f}) px: "
                "calibrate it again"
            )
        centres = [c.centre for key, c in cameras.items() if key != name]
        away = max(float(np.linalg.norm(cameras[name].centre - centre)) for centre in centres)
        if away < MIN_BASELINE:
            yield f"{name} is less than 1 mm from every other camera: weak baseline, no depth"


def _clock_problems(name: str, clock: ClockEstimate | None) -> Iterable[str]:
    if clock is not None and abs(clock.offset) > max(CLOCK_LIMIT, 4 * clock.sigma):
        yield (
            f"the clock of {name} is {1e3 * -clock.offset:+.1f} ms off (one sigma "
            f"{1e3 * clock.sigma:.1f} ms): add {clock.offset:+.4f} to its time_offset, or set "
            "clock.estimate to apply"
        )
