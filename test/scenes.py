"""Small truths for tests: rigs, paths, and what cameras see of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig, load_rig
from liquid_mono3d_ros.records import State, Tracks2D, nanoseconds, seconds

STEREO_RIG = Path(__file__).parents[1] / "config" / "rigs" / "stereo_synthetic.yaml"
ORIGIN = 1_700_000_000_000_000_000
"""A stamp like those of a robot: a float64 of it in seconds is good to a quarter microsecond."""

Path3D = Callable[[float], Array]
"""Seconds since ``ORIGIN`` → position (3,) m."""


def looking_at(centre: Sequence[float], target: Sequence[float]) -> tuple[Array, Array]:
    """Return (R_cw, t_cw) of a camera that stands upright in a z-up world."""
    z = np.subtract(target, centre)
    z = z / np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    R_cw = np.array([x, np.cross(z, x), z])
    return R_cw, -R_cw @ np.asarray(centre, dtype=float)


def camera(
    name: str, centre: Sequence[float], target: Sequence[float], **changes: object
) -> Camera:
    """Return a 640x480 camera of 500 px focal length without distortion."""
    R_cw, t_cw = looking_at(centre, target)
    values: dict[str, object] = {
        "width": 640,
        "height": 480,
        "K": np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]),
        "D": np.zeros(0),
        "model": "plumb_bob",
        "R_cw": R_cw,
        "t_cw": t_cw,
        "frame_id": f"{name}_optical_frame",
    }
    return Camera(name=name, **(values | changes))  # type: ignore[arg-type]


def stereo_rig() -> Rig:
    """Return the synthetic pair of ``config/rigs``: 0.3 m apart, looking along +x."""
    return load_rig(STEREO_RIG)


def room_rig(num_cameras: int = 4, **changes: object) -> Rig:
    """Return cameras ``cam1``… on a circle of 4 m, 2 m high, looking at its middle, 1 m high."""
    cameras = {}
    for k in range(num_cameras):
        angle = 0.3 + 2 * math.pi * k / max(num_cameras, 3)
        centre = (4 * math.cos(angle), 4 * math.sin(angle), 2.0)
        name = f"cam{k + 1}"
        cameras[name] = camera(name, centre, (0.0, 0.0, 1.0), **changes)
    return Rig(cameras, "world", np.array([0.0, 0.0, 1.0]))


def circle(radius: float = 0.8, speed: float = 1.0, height: float = 1.0) -> Path3D:
    """Return a level circle about the z axis."""
    rate = speed / radius

    def position(t: float) -> Array:
        return np.array([radius * math.cos(rate * t), radius * math.sin(rate * t), height])

    return position


def line(start: Sequence[float], velocity: Sequence[float]) -> Path3D:
    """Return a straight path at constant velocity."""

    def position(t: float) -> Array:
        return np.asarray(start, dtype=float) + t * np.asarray(velocity, dtype=float)

    return position


def tracks2d(
    seen_by: Camera,
    stamp: int,
    uv: Array,
    *,
    track_id: Sequence[int] | None = None,
    sigma_px: float = 1.0,
    velocity: Array | None = None,
    measured: Sequence[bool] | None = None,
    epoch: int = 0,
) -> Tracks2D:
    """Return confirmed tracks at the pixels given, (N, 2); numbered from 1 unless said."""
    n = len(uv)
    is_measured = np.ones(n, dtype=bool) if measured is None else np.array(measured, dtype=bool)
    return Tracks2D(
        camera=seen_by.name,
        stamp=stamp,
        width=seen_by.width,
        height=seen_by.height,
        epoch=epoch,
        track_id=np.arange(1, n + 1, dtype=np.uint64)
        if track_id is None
        else np.array(track_id, dtype=np.uint64),
        uv=np.asarray(uv, dtype=float).reshape(n, 2),
        covariance=np.tile(np.eye(2) * sigma_px**2, (n, 1, 1)),
        velocity=np.full((n, 2), np.nan) if velocity is None else velocity,
        bbox=np.full((n, 4), np.nan),
        score=np.full(n, np.nan),
        state=np.where(is_measured, State.CONFIRMED, State.COASTING).astype(np.uint8),
        measured=is_measured,
        class_id=(),
        frame_id=seen_by.frame_id,
    )


def exposed(
    seen_by: Camera, stamp: int, paths: Sequence[Path3D], *, origin: int = ORIGIN
) -> tuple[Array, Array]:
    """Return pixels (N, 2) and their velocities (N, 2) px/s in the image with that stamp.

    The camera's clock and the time at which each row was exposed are taken into account.
    """

    def pixel(path: Path3D, t: float) -> Array:
        return seen_by.project(path(t)[None])[0]

    middle = seconds(stamp - origin) + seen_by.time_offset
    uv, velocity = np.zeros((len(paths), 2)), np.zeros((len(paths), 2))
    for n, path in enumerate(paths):
        t = middle
        for _ in range(5):  # the row depends on the time, weakly
            t = middle + (pixel(path, t)[1] / seen_by.height - 0.5) * seen_by.readout
        uv[n] = pixel(path, t)
        velocity[n] = (pixel(path, t + 1e-4) - pixel(path, t - 1e-4)) / 2e-4
    return uv, velocity


def recording(
    rig: Rig,
    paths: Sequence[Path3D],
    *,
    duration: float,
    rate: float = 30.0,
    phases: dict[str, float] | None = None,
    sigma_px: float = 1.0,
    noise_px: float = 0.0,
    seed: int = 0,
    origin: int = ORIGIN,
) -> Iterator[Tracks2D]:
    """Yield the tracks of every camera in the order of their exposure.

    Args:
        rig: Whose cameras see every object; track k + 1 is ``paths[k]``.
        paths: Of the objects.
        duration: s.
        rate: Of each camera, Hz.
        phases: First exposure of each camera after ``origin``, s; 0 for those not named.
        sigma_px: What the tracks say of their noise.
        noise_px: Their true noise.
        seed: Of the noise.
        origin: Time zero of the paths, ns.
    """
    rng = np.random.default_rng(seed)
    images = []
    for order, seen_by in enumerate(rig.cameras.values()):
        first = (phases or {}).get(seen_by.name, 0.0)
        for k in range(round(duration * rate)):
            exposure = origin + nanoseconds(first + k / rate)
            images.append((exposure, order, seen_by))
    for exposure, _, seen_by in sorted(images, key=lambda image: image[:2]):
        stamp = exposure - nanoseconds(seen_by.time_offset)
        uv, velocity = exposed(seen_by, stamp, paths, origin=origin)
        uv = uv + rng.normal(0.0, 1.0, uv.shape) * noise_px
        yield tracks2d(seen_by, stamp, uv, sigma_px=sigma_px, velocity=velocity)
