"""What detectors see of moving objects, noise, drops and clutter included, and its 2D tracks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.records import Tracks2D, nanoseconds, seconds
from liquid_mono3d_ros.synth.paths import Path
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings

ORIGIN = 1_700_000_000_000_000_000
"""True time at which every path starts, ns: as large as a robot's stamps."""


@dataclass(frozen=True)
class Shot:
    """One image's detections; N of them, in no particular order.

    Attributes:
        camera: Name of the camera in the rig.
        stamp: By the camera's own clock, ns.
        detections: What the detector says.
        source: Index of the path behind each detection, (N,); −1 for a false one.
    """

    camera: str
    stamp: int
    detections: Detections
    source: Array


def simulate(
    paths: Sequence[Path],
    rig: Rig,
    *,
    rate: float = 30.0,
    phases: Mapping[str, float] | None = None,
    duration: float,
    sigma_px: float = 1.0,
    drop: float = 0.0,
    clutter: float = 0.0,
    seed: int = 0,
) -> list[Shot]:
    """Return the detections of every image, in the order of exposure.

    What lies behind a camera or outside its image is not detected.

    Convention: a row v is exposed at ``stamp + time_offset + (v / height - 0.5) * readout``.

    Args:
        paths: Of the objects, from ``ORIGIN`` on.
        rig: The cameras as they are, with their true ``time_offset`` and ``readout``.
        rate: Images of each camera per second.
        phases: True time of each camera's first image after ``ORIGIN``, s; None draws them from
            one frame: free-running cameras.
        duration: Of the recording, s.
        sigma_px: Standard deviation of each coordinate, px, also what the detections say of it.
        drop: Chance that an object in the image is not detected.
        clutter: False detections in an image, on average, anywhere in it.
        seed: Of everything drawn.
    """
    if not 0 <= drop <= 1:
        raise ValueError(complain("drop", "a chance, 0 to 1", f"{drop:g}", "Give a share."))
    rng = np.random.default_rng(seed)
    exposed = []
    for camera in rig.cameras.values():
        drawn = rng.uniform(0.0, 1.0 / rate)
        first = drawn if phases is None else phases.get(camera.name, 0.0)
        times = first + np.arange(round(duration * rate)) / rate  # (T,)
        seen = [project_path(camera, path, times) for path in paths]
        uv = np.stack(seen, axis=1) if seen else np.zeros((len(times), 0, 2))  # (T, N, 2)
        for time, pixels in zip(times.tolist(), uv, strict=True):
            shot = _shot(camera, time, pixels, rng, sigma_px=sigma_px, drop=drop, clutter=clutter)
            exposed.append((time, shot))
    return [shot for _, shot in sorted(exposed, key=lambda item: item[0])]


def track(
    shots: Iterable[Shot], rig: Rig, settings: TrackerSettings | None = None
) -> Iterator[Tracks2D]:
    """Yield the tracks after each shot, as the tracking node would send them."""
    trackers = {name: Tracker(settings or TrackerSettings()) for name in rig.cameras}
    for shot in shots:
        camera = rig.cameras[shot.camera]
        tracks = trackers[shot.camera].update(shot.detections, shot.stamp)
        size = (camera.width, camera.height)
        yield tracks.record(shot.camera, shot.stamp, size, 0, camera.frame_id)


def project_path(camera: Camera, path: Path, times: Array) -> Array:
    """Return where a camera sees an object in images whose middle row is exposed at ``times``.

    Args:
        camera: Whose rolling shutter counts.
        path: Of the object.
        times: True times since the path's start, (T,) s.

    Returns:
        Raw pixels, (T, 2); NaN behind the camera.
    """
    uv = camera.project(path.xyz(times))
    for _ in range(5 if camera.readout else 0):  # the row depends on the time, weakly
        delay = (uv[:, 1] / camera.height - 0.5) * camera.readout
        uv = camera.project(path.xyz(times + np.where(np.isfinite(delay), delay, 0.0)))
    return uv


def true_time(camera: Camera, stamp: int) -> float:
    """Return when the middle row of an image was exposed, s since ``ORIGIN``."""
    return seconds(stamp - ORIGIN) + camera.time_offset


def _shot(
    camera: Camera,
    time: float,
    uv: Array,
    rng: np.random.Generator,
    *,
    sigma_px: float,
    drop: float,
    clutter: float,
) -> Shot:
    size = np.array([camera.width, camera.height])
    inside = ((uv > -0.5) & (uv < size - 0.5)).all(axis=1)  # NaN is not inside
    found = np.flatnonzero(inside & (rng.random(len(uv)) >= drop))
    pixels = uv[found] + rng.normal(0.0, sigma_px, (len(found), 2))
    false = rng.uniform(-0.5, size - 0.5, (rng.poisson(clutter), 2))
    order = rng.permutation(len(found) + len(false))
    source = np.concatenate([found, np.full(len(false), -1)])[order]
    return Shot(
        camera=camera.name,
        stamp=ORIGIN + nanoseconds(time - camera.time_offset),
        detections=Detections.at(np.concatenate([pixels, false])[order], sigma_px),
        source=source,
    )
