from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.checks import check_covariance
from liquid_mono3d_ros.tracking import kalman


def started(n: int = 1, speed: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    uv = np.arange(2.0 * n).reshape(n, 2)
    return kalman.start(uv, np.full(n, 2.0), speed)


def test_start_knows_the_pixel_and_the_size_of_the_velocity() -> None:
    x, P = started(3)
    assert x.shape == (3, 4)
    assert x[2].tolist() == [4.0, 5.0, 0.0, 0.0]
    assert np.array_equal(P[1], np.diag([4.0, 4.0, 1e4, 1e4]))


def test_predict_moves_each_by_its_own_time() -> None:
    x = np.array([[0.0, 0.0, 10.0, -20.0]] * 2)
    _, P = started(2)
    moved, spread = kalman.predict(x, P, np.array([0.0, 0.5]), noise=50.0)
    assert moved.tolist() == [[0, 0, 10, -20], [5, -10, 10, -20]]
    assert np.array_equal(spread[0], P[0])
    assert np.isclose(spread[1, 0, 0], 4 + 0.25 * 1e4 + 50**2 * 0.5**3 / 3)


def test_two_half_steps_equal_one() -> None:
    x, P = started(1)
    x[0, 2:] = 30.0, -5.0
    whole = kalman.predict(x, P, np.array([0.2]), 300.0)
    half = kalman.predict(*kalman.predict(x, P, np.array([0.1]), 300.0), np.array([0.1]), 300.0)
    assert np.allclose(half[0], whole[0])
    assert np.allclose(half[1], whole[1])


def test_update_is_the_weighted_mean() -> None:
    x, P = started(1)  # variance 4 px²
    after, spread = kalman.update(x, P, np.array([[6.0, 1.0]]), np.array([2.0]))
    assert np.allclose(after[0, :2], [3.0, 1.0])  # half way between (0, 1) and (6, 1)
    assert np.allclose(spread[0, :2, :2], 2.0 * np.eye(2))


def test_two_exact_pixels_give_the_velocity() -> None:
    x, P = kalman.start(np.array([[10.0, 20.0]]), np.array([1e-3]), 1000.0)
    x, P = kalman.predict(x, P, np.array([0.1]), 1e-3)
    x, P = kalman.update(x, P, np.array([[13.0, 18.0]]), np.array([1e-3]))
    assert np.allclose(x, [[13, 18, 30, -20]], atol=1e-2)


def test_errors_have_the_size_of_the_covariance(rng: np.random.Generator) -> None:
    n, dt, noise, sigma = 2000, 0.04, 300.0, 2.0
    truth = np.concatenate([rng.normal(0, 9, (n, 2)), rng.normal(0, 100, (n, 2))], axis=1)
    x, P = kalman.start(truth[:, :2] + rng.normal(0, sigma, (n, 2)), np.full(n, sigma), 100.0)
    root = np.linalg.cholesky(np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]))
    for _ in range(20):
        kick = noise * (root @ rng.normal(size=(n, 2, 2)))  # (n, position or velocity, u or v)
        truth[:, :2] += dt * truth[:, 2:] + kick[:, 0]
        truth[:, 2:] += kick[:, 1]
        x, P = kalman.predict(x, P, np.full(n, dt), noise)
        measured = truth[:, :2] + rng.normal(0, sigma, (n, 2))
        x, P = kalman.update(x, P, measured, np.full(n, sigma))
        check_covariance("P", P)
    error = (truth - x)[:, :, None]
    nees = (error.transpose(0, 2, 1) @ np.linalg.solve(P, error)).mean() / 4
    assert 0.95 < nees < 1.05


def test_covariance_stays_positive_over_a_long_run() -> None:
    x, P = kalman.start(np.zeros((1, 2)), np.array([0.1]), 1e5)
    for _ in range(3000):
        x, P = kalman.predict(x, P, np.array([1 / 60]), 0.1)
        x, P = kalman.update(x, P, np.zeros((1, 2)), np.array([0.1]))
    check_covariance("P", P)
    assert np.linalg.eigvalsh(P[0]).min() > 0


def test_no_tracks_are_no_trouble() -> None:
    x, P = started(0)
    x, P = kalman.predict(x, P, np.zeros(0), 1.0)
    x, P = kalman.update(x, P, np.zeros((0, 2)), np.zeros(0))
    assert x.shape == (0, 4)
    assert P.shape == (0, 4, 4)
