from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from liquid_mono3d_ros.checks import check_covariance
from liquid_mono3d_ros.tracking import kalman


def started(n: int = 1, speed: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    uv = np.arange(2.0 * n).reshape(n, 2).T
    return kalman.start(uv, np.full(n, 2.0), speed)


def test_convention_components_come_first() -> None:
    x, p = started(3)
    assert x.shape == (4, 3)
    assert p.shape == (3, 3)
    assert x[:, 2].tolist() == [4.0, 5.0, 0.0, 0.0]
    assert np.array_equal(kalman.full_covariance(p)[1], np.diag([4.0, 4.0, 1e4, 1e4]))


def test_predict_moves_on_and_spreads() -> None:
    x = np.array([[0.0, 0.0, 10.0, -20.0]] * 2).T
    _, p = started(2)
    moved, spread = kalman.predict(x, p, 0.5, noise=np.array([50.0, 100.0]))
    assert moved[:, 0].tolist() == [5, -10, 10, -20]
    assert np.allclose(spread[0], 4 + 0.25 * 1e4 + np.array([50, 100]) ** 2 * 0.5**3 / 3)
    assert np.array_equal(kalman.predict(x, p, 0.0, 50.0)[1], p)


def test_closed_formulas_are_those_of_the_book(rng: np.random.Generator) -> None:
    dt, noise, sigma = 0.07, 90.0, 1.3
    x, p = rng.normal(size=(4, 1)), np.array([[3.0], [5.0], [40.0]])
    uv = rng.normal(size=(2, 1))
    F, H, one = np.eye(4), np.eye(2, 4), np.eye(2)
    F[:2, 2:] = dt * one
    Q = noise**2 * np.kron([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]], one)
    P = F @ kalman.full_covariance(p)[0] @ F.T + Q
    S = H @ P @ H.T + sigma**2 * one
    K = P @ H.T @ np.linalg.inv(S)
    moved = F @ x
    after, spread, density = kalman.update(*kalman.predict(x, p, dt, noise), uv, np.array([sigma]))
    assert np.allclose(after, moved + K @ (uv - H @ moved))
    assert np.allclose(kalman.full_covariance(spread)[0], (np.eye(4) - K @ H) @ P)
    assert np.isclose(density[0], multivariate_normal((H @ moved)[:, 0], S).logpdf(uv[:, 0]))


def test_two_half_steps_equal_one() -> None:
    x, p = started(1)
    x[2:, 0] = 30.0, -5.0
    whole = kalman.predict(x, p, 0.2, 300.0)
    half = kalman.predict(*kalman.predict(x, p, 0.1, 300.0), 0.1, 300.0)
    assert np.allclose(half[0], whole[0])
    assert np.allclose(half[1], whole[1])


def test_update_is_the_weighted_mean() -> None:
    x, p = started(1)  # variance 4 px²
    after, spread, _ = kalman.update(x, p, np.array([[6.0], [1.0]]), np.array([2.0]))
    assert np.allclose(after[:2, 0], [3.0, 1.0])  # half way between (0, 1) and (6, 1)
    assert np.isclose(spread[0, 0], 2.0)


def test_two_exact_pixels_give_the_velocity() -> None:
    sigma = np.array([1e-3])
    x, p = kalman.start(np.array([[10.0], [20.0]]), sigma, 1000.0)
    x, p = kalman.predict(x, p, 0.1, 1e-3)
    x, p, _ = kalman.update(x, p, np.array([[13.0], [18.0]]), sigma)
    assert np.allclose(x[:, 0], [13, 18, 30, -20], atol=1e-2)


def test_errors_have_the_size_of_the_covariance(rng: np.random.Generator) -> None:
    n, dt, noise, sigma = 2000, 0.04, 300.0, 2.0
    truth = np.concatenate([rng.normal(0, 9, (2, n)), rng.normal(0, 100, (2, n))])
    error = np.full(n, sigma)
    x, p = kalman.start(truth[:2] + rng.normal(0, sigma, (2, n)), error, 100.0)
    root = np.linalg.cholesky(np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]))
    for _ in range(20):
        kick = noise * np.einsum("ij,jan->ian", root, rng.normal(size=(2, 2, n)))
        truth[:2] += dt * truth[2:] + kick[0]
        truth[2:] += kick[1]
        x, p = kalman.predict(x, p, dt, noise)
        x, p, _ = kalman.update(x, p, truth[:2] + rng.normal(0, sigma, (2, n)), error)
        check_covariance("P", kalman.full_covariance(p))
    off = (truth - x).T[:, :, None]
    nees = (off.transpose(0, 2, 1) @ np.linalg.solve(kalman.full_covariance(p), off)).mean() / 4
    assert 0.95 < nees < 1.05


def test_covariance_stays_positive_over_a_long_run() -> None:
    sigma, uv = np.array([0.1]), np.zeros((2, 1))
    x, p = kalman.start(uv, sigma, 1e5)
    for _ in range(3000):
        x, p = kalman.predict(x, p, 1 / 60, 0.1)
        x, p, _ = kalman.update(x, p, uv, sigma)
    assert np.linalg.eigvalsh(kalman.full_covariance(p)[0]).min() > 0


def test_no_tracks_are_no_trouble() -> None:
    x, p = started(0)
    x, p = kalman.predict(x, p, 0.1, 1.0)
    x, p, density = kalman.update(x, p, np.zeros((2, 0)), np.zeros(0))
    assert x.shape == (4, 0)
    assert p.shape == (3, 0)
    assert density.shape == (0,)
