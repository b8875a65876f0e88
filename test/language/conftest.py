import numpy as np
import pytest

from liquid_mono3d_ros.language.history import TrackHistory
from liquid_mono3d_ros.records import FilterKind, Health, State, Trajectory, nanoseconds

START = 5_000_000_000


def make_trajectory(stamp, xyz, velocity=(0, 0, 0), covariance=None, **fields):
    """A trajectory with the covariance of a 1 mm filter, unless another is given."""
    covariance = np.eye(6) * 1e-6 if covariance is None else covariance
    fields = {"track_id": 7, "epoch": 0, "measured": True, "num_cameras": 2, **fields}
    return Trajectory(
        stamp=stamp,
        state=State.CONFIRMED,
        xyz=np.asarray(xyz, float),
        velocity=np.asarray(velocity, float),
        covariance=covariance,
        filter=FilterKind.CV,
        health=Health.GOOD,
        last_measured=stamp,
        **fields,
    )


def make_filtered(path, *, duration, rate, sigma, q=4.0, seed=0):
    """Trajectories of a constant-velocity Kalman filter on noisy positions of a path.

    sigma (m) is one number or one per axis; q is the white acceleration's density, m²/s³.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(0, duration + 1e-9, 1 / rate)
    sigma = np.broadcast_to(np.asarray(sigma, float), 3)
    measured = path.xyz(t) + sigma * rng.standard_normal((len(t), 3))
    R, H, dt = np.diag(sigma**2), np.eye(3, 6), 1 / rate
    F = np.eye(6) + dt * np.eye(6, k=3)
    Q = q * np.kron([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]], np.eye(3))
    x, P = np.concatenate([measured[0], np.zeros(3)]), np.diag([*sigma**2, 9, 9, 9])
    trajectories = []
    for k, z in enumerate(measured):
        if k:
            x, P = F @ x, F @ P @ F.T + Q
            K = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
            x, P = x + K @ (z - H @ x), (np.eye(6) - K @ H) @ P
            P = (P + P.T) / 2
        trajectories.append(make_trajectory(START + nanoseconds(t[k]), x[:3], x[3:], P.copy()))
    return trajectories


def make_history(trajectories, **arguments):
    arguments = {"z_up": True, "frame_id": "map", **arguments}
    R = arguments.pop("R", np.eye(3))
    t = arguments.pop("t", np.zeros(3))
    history = TrackHistory(R, t, **arguments)
    for trajectory in trajectories:
        history.add(trajectory)
    return history


@pytest.fixture
def trajectory():
    return make_trajectory


@pytest.fixture
def filtered():
    return make_filtered


@pytest.fixture
def history():
    return make_history
