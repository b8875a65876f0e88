"""Recorded drone flights: labels of several cameras on one clock, and the true path by RTK.

The format of the multi-camera drone data sets as published with calibrations fitted to their first
part: ``cameras.yaml``, ``camN.csv`` (frame, t, u, v) and ``truth.csv`` (t, x, y, z, ok).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.interpolate import CubicSpline

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig

REACH = 0.1
"""A truth stamp is covered by an estimate no further away, s."""
CHI2_95 = 7.8147
"""Chi² of three degrees of freedom that 95 % stay below."""
LONGEST_STEP = 0.5
"""Truth is interpolated between samples no further apart, s."""


@dataclass(frozen=True)
class Labels:
    """Where one camera saw the drone; K labels.

    Attributes:
        t: On the clock of the truth, by the folder's calibration, (K,) s.
        uv: Raw pixels, (K, 2).
        period: Between two labels where none is missing, s.
        steady: Whether the camera's frame rate is fixed.
    """

    t: Array
    uv: Array
    period: float
    steady: bool


@dataclass(frozen=True)
class Flight:
    """One folder.

    Attributes:
        rig: Its cameras; ``sigma_px`` is what the labels miss the true path by before ``start``.
        labels: Camera name → labels.
        truth: Samples (M, 5): t s, x, y, z m, and whether the sample is good.
        start: Score after it only, s: before, the calibration was fitted.
        end: Score up to it, s.
    """

    rig: Rig
    labels: dict[str, Labels]
    truth: Array
    start: float
    end: float

    def score(
        self, t: Array, xyz: Array, covariance: Array | None = None, *, training: bool = False
    ) -> dict[str, float] | None:
        """Return n, median_m, rmse_m, p95_m, coverage and inside_95 of estimates.

        None when fewer than 20 can be scored. Coverage is the share of good truth samples with an
        estimate within 0.1 s, inside_95 the share of estimates whose 95 % ellipsoid holds the
        truth.

        Args:
            t: On the clock of the truth, (N,) s.
            xyz: (N, 3) m.
            covariance: (N, 3, 3) m²; None when there is none.
            training: Score up to ``start`` instead of after it.
        """
        first, last = (self.truth[0, 0], self.start) if training else (self.start, self.end)
        times, good = self.truth[:, 0], self.truth[:, 4] > 0
        after = np.clip(np.searchsorted(times, t), 1, len(times) - 1)
        scored = (t > first) & (t <= last) & good[after] & good[after - 1]
        scored &= times[after] - times[after - 1] < LONGEST_STEP
        if np.count_nonzero(scored) < 20:
            return None
        away = xyz[scored] - self.path(t[scored])
        error = np.linalg.norm(away, axis=1)
        inside = math.nan
        if covariance is not None:
            solved = np.linalg.solve(covariance[scored], away[..., None])[..., 0]
            inside = float(np.mean((away * solved).sum(axis=1) < CHI2_95))
        samples = times[good & (times > first) & (times <= last)]
        ordered = np.sort(t)
        near = np.clip(np.searchsorted(ordered, samples), 1, len(ordered) - 1)
        gap = np.minimum(np.abs(ordered[near] - samples), np.abs(ordered[near - 1] - samples))
        return {
            "n": len(error),
            "median_m": float(np.median(error)),
            "rmse_m": float(np.sqrt(np.mean(error**2))),
            "p95_m": float(np.percentile(error, 95)),
            "coverage": float(np.mean(gap <= REACH)),
            "inside_95": inside,
        }

    def path(self, t: Array) -> Array:
        """Return the true positions, (N, 3) m, by a cubic spline through the samples."""
        return np.asarray(CubicSpline(self.truth[:, 0], self.truth[:, 1:4])(t))


def read_flight(folder: str | Path) -> Flight:
    """Read a folder.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If ``cameras.yaml`` lacks a key.
    """
    folder = Path(folder)
    path = folder / "cameras.yaml"
    if not path.is_file():
        cure = "Name a folder with cameras.yaml, camN.csv and truth.csv."
        raise FileNotFoundError(complain("data", "a drone folder", str(folder), cure))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        cameras = {name: _camera(name, keys) for name, keys in content["cameras"].items()}
        labels = {name: _labels(folder, name, keys) for name, keys in content["cameras"].items()}
        start, end = float(content["t_cal_end"]), float(content["t_end"])
    except KeyError as error:
        cure = "Use a folder of the published format."
        raise ValueError(complain(str(path), f"with a key {error}", "none", cure)) from None
    truth = np.loadtxt(folder / "truth.csv", delimiter=",", skiprows=1)
    flight = Flight(Rig(cameras, up=np.array([0.0, 0.0, 1.0])), labels, truth, start, end)
    return _with_label_errors(flight)


def _camera(name: str, keys: dict[str, Any]) -> Camera:
    return Camera(
        name=name,
        width=keys["width"],
        height=keys["height"],
        K=np.array(keys["K"]),
        D=np.array(keys["dist"]),
        model=keys["distortion_model"],
        R_cw=_nearest_rotation(np.array(keys["R"])),
        t_cw=np.array(keys["t"]),
        readout=keys["readout_s"],
    )


def _nearest_rotation(R: Array) -> Array:
    u, _, vt = np.linalg.svd(R)
    return np.asarray(u @ vt)


def _labels(folder: Path, name: str, keys: dict[str, Any]) -> Labels:
    rows = np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)
    period = keys.get("frame_divider", 1) / keys["fps"]
    return Labels(rows[:, 1], rows[:, 2:], period, keys["frame_rate"] == "fixed")


def _with_label_errors(flight: Flight) -> Flight:
    """Give each camera the sigma of its labels about the true path in the calibration part."""
    cameras = {}
    for name, camera in flight.rig.cameras.items():
        labels = flight.labels[name]
        t = labels.t + camera.readout * (labels.uv[:, 1] / camera.height - 0.5)
        used = (t > flight.truth[0, 0]) & (t <= flight.start)
        error = labels.uv[used] - camera.project(flight.path(t[used]))
        spread = 1.4826 * np.nanmedian(np.abs(error))
        cameras[name] = replace(camera, sigma_px=float(spread) if spread > 0 else 1.0)
    return replace(flight, rig=replace(flight.rig, cameras=cameras))
