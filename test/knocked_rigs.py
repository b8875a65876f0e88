"""Moving objects as the cameras of a room see them, and a camera that was knocked."""

import dataclasses

import cv2
import numpy as np
from transforms3d import axangles

from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.records import SECOND, State, Tracks2D, seconds

cv2.setNumThreads(1)


def path_through_the_room(t):
    """A loop of 3 m that goes up and down, (N, 3) m at N times, s."""
    return np.stack(
        [1.2 * np.sin(0.9 * t), 1.2 * np.sin(1.3 * t + 1), 1 + 0.7 * np.sin(0.7 * t)], axis=-1
    )


def watch(rig, *, seconds=10.0, rate=30.0, noise=1.0, gross=0.02, seed=0, shift=(0, 0, 0)):
    """What the true cameras see of the object, with noise and gross errors."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, seconds, 1 / rate)
    step = 1e-3
    uv, velocity, seen = [], [], []
    for camera in rig.cameras.values():
        late = camera.time_offset  # what the clock calls t was at t + late
        exact = camera.project(path_through_the_room(t + late) + shift)
        rate_px = camera.project(path_through_the_room(t + late + step) + shift) - exact
        wrong = (rng.random(len(t)) < gross)[:, None] * rng.uniform(-80, 80, (len(t), 2))
        uv.append(exact + rng.normal(0, noise, exact.shape) + wrong)
        velocity.append(rate_px / step)
        inside = (exact > 0) & (exact < (camera.width - 1, camera.height - 1))
        seen.append(inside.all(axis=1))
    return Observations(
        cameras=tuple(rig.cameras),
        time=np.round(t * SECOND).astype(np.int64),
        uv=np.array(uv),
        velocity=np.array(velocity),
        sigma_px=np.full((len(uv), len(t)), max(noise, 0.1)),
        seen=np.array(seen),
        track_id=np.ones(len(t), dtype=int),
    )


def knocked(rig, name, *, degrees=2.0, metres=0.05, late=0.010, seed=3):
    """The rig with one camera really turned, moved and late: the truth the old file hides."""
    rng = np.random.default_rng(seed)
    camera = rig.cameras[name]
    turn = axangles.axangle2mat(rng.normal(size=3), np.radians(degrees))
    shift = rng.normal(size=3)
    centre = camera.centre + metres * shift / np.linalg.norm(shift)
    R_cw = turn @ camera.R_cw
    moved = dataclasses.replace(camera, R_cw=R_cw, t_cw=-R_cw @ centre, time_offset=late)
    return Rig({**rig.cameras, name: moved}, rig.world_frame, rig.up)


SHIFTS = np.array([[0.0, 0.0, 0.0], [0.9, -0.7, 0.4]])
"""Of two objects from the path, m."""


def tracks_of(rig, *, duration=3.0, rate=30.0, noise=0.5, seed=0):
    """Tracks of two objects, from cameras that run freely, 11 ms apart, oldest first."""
    rng = np.random.default_rng(seed)
    images = []
    for c, camera in enumerate(rig.cameras.values()):
        for k in range(int(duration * rate)):
            stamp = SECOND + round((k / rate + 0.011 * c) * SECOND)
            t = seconds(stamp - SECOND) + camera.time_offset
            uv = np.concatenate(
                [camera.project(path_through_the_room(np.array([t])) + shift) for shift in SHIFTS]
            )
            images.append(_image(camera, stamp, uv + rng.normal(0, noise, uv.shape), noise))
    return sorted(images, key=lambda image: image.stamp)


def _image(camera, stamp, uv, noise):
    n = len(uv)
    return Tracks2D(
        camera=camera.name, stamp=stamp, width=camera.width, height=camera.height, epoch=0,
        track_id=np.arange(1, n + 1).astype(np.uint64), uv=uv,
        covariance=np.tile(noise**2 * np.eye(2), (n, 1, 1)), velocity=np.full((n, 2), np.nan),
        bbox=np.full((n, 4), np.nan), score=np.full(n, np.nan),
        state=np.full(n, State.CONFIRMED, np.uint8), measured=np.ones(n, bool), class_id=(),
    )  # fmt: skip
