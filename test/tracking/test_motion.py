from __future__ import annotations

import numpy as np

from liquid_mono3d_ros.tracking import kalman, motion
from liquid_mono3d_ros.tracking.motion import Motion

NOISE = (30.0, 800.0)
DT, SIGMA = 1 / 30, 1.5


def follow(uv: np.ndarray, begins: float = 0.02, ends: float = 0.1) -> list[Motion]:
    """Follow one path (T, 2) through noise-free detections."""
    sigma = np.array([SIGMA])
    states = [motion.start(uv[0][:, None], sigma, 600.0, begins)]
    for pixel in uv[1:]:
        moved = motion.predict(states[-1], DT, NOISE)
        states.append(motion.update(moved, pixel[:, None], sigma, begins, ends))
    return states


def path(velocities: list[tuple[float, float]]) -> np.ndarray:
    return np.cumsum(DT * np.array([(0.0, 0.0), *velocities]), axis=0)


def test_both_kinds_begin_alike() -> None:
    begun = motion.start(np.array([[3.0, 5.0], [4.0, 6.0]]), np.array([1.0, 2.0]), 600.0, 0.1)
    assert begun.x.shape == (4, 2, 2)
    assert begun.mean.T.tolist() == [[3, 4, 0, 0], [5, 6, 0, 0]]
    assert np.allclose(begun.variance.T, [[1, 0, 600**2], [4, 0, 600**2]])


def test_steady_motion_is_believed_and_its_velocity_found() -> None:
    last = follow(path([(90.0, -60.0)] * 60))[-1]
    assert last.odds[0] < 0.05
    assert np.allclose(last.mean[2:, 0], [90, -60], atol=1)


def test_a_bounce_is_taken_for_a_manoeuvre_and_followed() -> None:
    states = follow(path([(0.0, 300.0)] * 30 + [(0.0, -300.0)] * 30))
    assert states[30].odds[0] < 0.05
    assert max(state.odds[0] for state in states[31:35]) > 0.8
    assert states[-1].odds[0] < 0.1
    assert np.allclose(states[-1].mean[:, 0], [0, 0, 0, -300], atol=20)


def test_unseen_the_steady_prediction_is_not_smeared() -> None:
    before = follow(path([(90.0, 0.0)] * 60))[-1]
    unseen = before
    for _ in range(27):
        unseen = motion.predict(unseen, DT, NOISE)
    alone = kalman.predict(before.x[:, 0], before.p[:, 0], 27 * DT, NOISE[0])
    assert np.allclose(unseen.x[:, 0], alone[0])
    assert np.allclose(unseen.p[:, 0], alone[1])
    assert np.array_equal(unseen.odds, before.odds)


def test_mixing_keeps_mean_and_covariance_of_the_whole(rng: np.random.Generator) -> None:
    """With no pixel to learn from, mixing only moves weight between the kinds."""
    x, p = (
        rng.normal(size=(4, 2, 5)),
        np.array([4.0, 1.0, 9.0])[:, None, None] * np.ones((3, 2, 5)),
    )
    before = Motion(x, p, np.full(5, 0.3))
    blind = np.full(5, 1e9)
    after = motion.update(before, before.mean[:2], blind, 0.2, 0.1)
    assert np.allclose(after.odds, 0.3 * 0.9 + 0.7 * 0.2)
    assert np.allclose(after.mean, before.mean)
    assert np.allclose(after.variance, before.variance)


def test_errors_have_the_size_of_the_covariance(rng: np.random.Generator) -> None:
    n = 1000
    truth = np.concatenate([rng.normal(0, 9, (2, n)), rng.normal(0, 100, (2, n))])
    sigma = np.full(n, SIGMA)
    states = motion.start(truth[:2] + rng.normal(0, SIGMA, (2, n)), sigma, 100.0, 0.02)
    squares = []
    for k in range(60):
        truth[:2] += DT * truth[2:]
        truth[2:] += NOISE[0] * np.sqrt(DT) * rng.normal(size=(2, n))
        seen = truth[:2] + rng.normal(0, SIGMA, (2, n))
        states = motion.update(motion.predict(states, DT, NOISE), seen, sigma, 0.02, 0.1)
        if k >= 20:
            off = states.mean[:2] - truth[:2]
            squares.append(((off**2).sum(axis=0) / states.variance[0]).mean() / 2)
    assert 0.8 < np.mean(squares) < 1.1


def test_rows_joined_and_replaced() -> None:
    whole = motion.start(np.arange(6.0).reshape(2, 3), np.ones(3), 100.0, 0.1)
    first, rest = whole.rows(np.array([0])), whole.rows(np.array([1, 2]))
    assert np.array_equal(first.joined(rest).x, whole.x)
    swapped = whole.replaced(np.array([2]), first)
    assert swapped.mean[0].tolist() == [0, 1, 0]
    assert whole.mean[0].tolist() == [0, 1, 2]
