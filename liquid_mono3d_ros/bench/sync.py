"""Cameras that run freely: what pairing the nearest images costs, and what is won back.

Also how well unknown clock offsets are told from the tracks, and the picture of the metre that no
residual shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.bench.triangulation_scenes import room
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulation import Views, refine, residuals_px, triangulate_dlt
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import Kind, Points3D, Tracks2D, seconds
from liquid_mono3d_ros.synth.paths import Path
from liquid_mono3d_ros.synth.rigs import pinhole
from liquid_mono3d_ros.synth.scene import ORIGIN, simulate, track

RATE = 30.0
LATE = 0.015
"""Between the images of free-running cameras, s."""
SPEED = 5.0
"""Of the object, m/s."""
SEARCH = 0.1
"""Unknown offsets are drawn up to this, s."""


@dataclass(frozen=True)
class Sweep:
    """Back and forth on smooth curves through a box, at a mean ``speed`` in m/s.

    Attributes:
        centre: Of the box, m.
        size: Half its sides, m.
        speed: Root mean square, m/s.
    """

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    speed: float

    def xyz(self, t: Array) -> Array:
        """Return positions, (T, 3) m."""
        phase = np.outer(t, self._rates) + np.array([0.0, 0.5, 1.0])
        return np.asarray(np.array(self.centre) + np.array(self.size) * np.sin(phase))

    def velocity(self, t: Array) -> Array:
        """Return velocities, (T, 3) m/s."""
        phase = np.outer(t, self._rates) + np.array([0.0, 0.5, 1.0])
        return np.asarray(np.array(self.size) * self._rates * np.cos(phase))

    @property
    def _rates(self) -> Array:
        """Of the three sines, rad/s."""
        shape = np.array([1.0, 1.3, 0.85])
        mean = np.sqrt(np.sum((np.array(self.size) * shape) ** 2) / 2)
        return np.asarray(shape * self.speed / mean)


def measure(*, seeds: int = 20, duration: float = 10.0, figure: str = "") -> Report:
    """Track and triangulate simulated objects; ``figure`` names a picture to write."""
    rows = [*_free_running(duration), *_unknown(seeds, duration)]
    if figure:
        draw(figure)
    return Report("sync", rows, _targets(rows))


def stereo(baseline: float = 0.2) -> Rig:
    """Return two 1280×720 cameras of 900 px side by side, looking along x."""
    cameras = {}
    for name, y in (("left", baseline / 2), ("right", -baseline / 2)):
        centre = np.array([0.0, y, 1.0])
        aim = centre + np.array([1.0, 0.0, 0.0])
        cameras[name] = pinhole(name, centre, aim, width=1280, height=720, focal=900.0)
    return Rig(cameras, up=np.array([0.0, 0.0, 1.0]))


SCENES: dict[str, tuple[Rig, Path]] = {
    "room, 4 cameras": (
        Rig({camera.name: camera for camera in room()}),
        Sweep((0.0, 0.0, 1.0), (1.5, 1.5, 0.6), SPEED),
    ),
    "stereo 0.2 m, at 5 m": (stereo(), Sweep((5.0, 0.0, 1.0), (0.8, 1.8, 0.8), SPEED)),
}


def _free_running(duration: float) -> list[dict[str, Any]]:
    rows = []
    for scene, (rig, path) in SCENES.items():
        late = {name: LATE * (k % 2) for k, name in enumerate(rig.cameras)}
        ways = {
            "synchronised": ({}, {}),
            "nearest": (late, {"sync": "approximate"}),
            "interpolated": (late, {}),
        }
        for way, (phases, settings) in ways.items():
            shots = simulate(
                [path], rig, rate=RATE, phases=phases, duration=duration, sigma_px=1.0, seed=1
            )
            error = _errors(_play(track(shots, rig), rig, settings), path)
            rows.append(
                {
                    "scene": scene,
                    "way": way,
                    "points": len(error),
                    "median_mm": 1e3 * float(np.median(error)),
                    "rmse_mm": 1e3 * float(np.sqrt(np.mean(error**2))),
                    "p95_mm": 1e3 * float(np.percentile(error, 95)),
                }
            )
    return rows


def _play(tracks: Iterable[Tracks2D], rig: Rig, settings: Mapping[str, Any]) -> list[Points3D]:
    triangulator = Triangulator(
        GeometrySettings.from_flat({"clock.estimate": "off", **settings}), rig
    )
    if "sync" not in settings:
        return [points for one in tracks for points in triangulator.add(one)]
    outputs, newest = [], {}
    for one in tracks:  # each image of the last camera closes a set of the newest of all
        newest[one.camera] = one
        if one.camera == list(rig.cameras)[-1] and len(newest) == len(rig.cameras):
            outputs.append(triangulator.add_set(list(newest.values())))
    return outputs


def _errors(outputs: Sequence[Points3D], path: Path) -> Array:
    """Return the distance of every point from the truth at its own stamp, (N,) m."""
    found = [
        (seconds(points.stamp - ORIGIN), points.xyz[n])
        for points in outputs
        for n in np.flatnonzero(points.kind == Kind.POINT)
    ]
    t, xyz = np.array([t for t, _ in found]), np.array([xyz for _, xyz in found])
    return np.asarray(np.linalg.norm(xyz - path.xyz(t), axis=1))


def _unknown(seeds: int, duration: float) -> list[dict[str, Any]]:
    """Return how well offsets are told from the tracks alone."""
    rows = []
    scenes: dict[str, tuple[Rig, Path]] = {
        "room, 4 cameras": (
            SCENES["room, 4 cameras"][0],
            Sweep((0.0, 0.0, 1.0), (1.5, 1.5, 0.6), 1.0),
        ),
        "stereo 0.2 m, at 5 m": (stereo(), Sweep((5.0, 0.0, 1.0), (0.8, 1.8, 0.8), 1.0)),
    }
    for scene, (rig, path) in scenes.items():
        wrong, sigmas, cpu = [], [], 0.0
        for seed in range(seeds):
            begun = time.process_time()
            told = _told(rig, path, seed, duration)
            cpu += time.process_time() - begun
            wrong += [error for error, _ in told]
            sigmas += [sigma for _, sigma in told]
        error, sigma = np.array(wrong), np.array(sigmas)
        rows.append(
            {
                "scene": scene,
                "way": "offsets unknown, 1 m/s",
                "points": len(error),
                "offset_p95_ms": 1e3 * float(np.percentile(np.abs(error), 95)),
                "offset_max_ms": 1e3 * float(np.max(np.abs(error))),
                "sigma_median_ms": 1e3 * float(np.median(sigma)),
                "error_over_sigma_rms": float(np.sqrt(np.mean((error / sigma) ** 2))),
                "cpu_s_per_run": cpu / seeds,
            }
        )
    return rows


def _told(rig: Rig, path: Path, seed: int, duration: float) -> list[tuple[float, float]]:
    """Return error and sigma of each camera's estimated offset but the reference's, s."""
    rng = np.random.default_rng(seed)
    names = list(rig.cameras)
    offsets = dict(zip(names, [0.0, *rng.uniform(-SEARCH, SEARCH, len(names) - 1)], strict=True))
    true = {n: replace(camera, time_offset=offsets[n]) for n, camera in rig.cameras.items()}
    shots = simulate([path], Rig(true), rate=RATE, duration=duration, sigma_px=1.0, seed=seed)
    triangulator = Triangulator(GeometrySettings.from_flat({"clock.estimate": "apply"}), rig)
    for one in track(shots, rig):
        triangulator.add(one)
    clocks = {name: health.clock for name, health in triangulator.health().items()}
    return [(c.offset - offsets[n], c.sigma) for n, c in clocks.items() if c and n != names[0]]


def _targets(rows: Sequence[Mapping[str, Any]]) -> list[Target]:
    of = {(row["scene"], row["way"]): row for row in rows}
    four, pair = SCENES
    ratio = of[pair, "interpolated"]["rmse_mm"] / of[pair, "synchronised"]["rmse_mm"]
    return [
        Target("room_interpolated_median_mm", of[four, "interpolated"]["median_mm"], 3.0),
        Target("stereo_interpolated_over_synchronised", ratio, 1.1),
        *(
            Target(
                f"{key}_offset_p95_ms", of[scene, "offsets unknown, 1 m/s"]["offset_p95_ms"], 2.0
            )
            for key, scene in (("room", four), ("stereo", pair))
        ),
    ]


def hidden_error(speed: Array, offset: Array) -> tuple[Array, Array]:
    """Return depth error (m) and reprojection residual (px) of nearest pairs, without noise.

    The object passes in front of a stereo pair along its baseline; the second image is ``offset``
    late.

    Args:
        speed: (N,) m/s.
        offset: (N,) s.
    """
    rig = stereo()
    cameras = list(rig.cameras.values())
    at = np.tile([5.0, 0.0, 1.2], (len(speed), 1))
    moved = at + np.stack([np.zeros_like(speed), speed * offset, np.zeros_like(speed)], axis=1)
    uv = np.array(
        [
            cameras[0].undistort(cameras[0].project(at)),
            cameras[1].undistort(cameras[1].project(moved)),
        ]
    )
    seen = np.ones(uv.shape[:2], dtype=bool)
    eye = np.broadcast_to(np.eye(2), (*uv.shape, 2))
    views = Views(np.array([c.P for c in cameras]), uv, seen, eye, 900.0 * eye)
    xyz, _, _ = refine(triangulate_dlt(views.P, uv, seen), views, iterations=20)
    residual = residuals_px(xyz, views)
    return xyz[:, 0] - at[:, 0], np.sqrt(np.square(residual).sum(axis=2).mean(axis=0))


def draw(path: str | FilePath) -> None:
    """Draw depth error beside reprojection residual over speed and clock offset."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    offset, speed = np.meshgrid(np.linspace(0, 20e-3, 81), np.linspace(0, 5, 81))
    depth_error, residual = hidden_error(speed.ravel(), offset.ravel())
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    most = float(residual.max())
    parts = zip(
        figure.subplots(1, 2, sharey=True),
        (np.abs(depth_error), residual),
        ("Depth error of nearest pairs, m", f"Their reprojection residual: {most:.2f} px at most"),
        strict=True,
    )
    for axes, values, title in parts:
        shown = values.reshape(speed.shape)
        mesh = axes.pcolormesh(1e3 * offset, speed, shown, vmin=0.0, vmax=2.0)
        if shown.max() > 0.1:
            lines = axes.contour(1e3 * offset, speed, shown, levels=[0.1, 0.3, 1.0], colors="w")
            axes.clabel(lines, fmt="%g m")
        axes.set_title(title)
        axes.set_xlabel("Clock offset, ms")
        figure.colorbar(mesh, ax=axes)
    figure.axes[0].set_ylabel("Speed along the baseline, m/s")
    figure.suptitle(
        "The metre your residual cannot see: stereo, 0.2 m apart, object at 5 m, 900 px"
    )
    figure.savefig(path, dpi=110)
