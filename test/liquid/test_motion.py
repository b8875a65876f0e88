import numpy as np
import pytest

from liquid_mono3d_ros.liquid.motion import MotionBank, fall, stay_or_switch, transition


@pytest.fixture
def bank():
    accelerates, noise = np.array([False, True]), np.array([2.0, 3.0])
    return MotionBank(accelerates, noise, np.array([0.7, 0.3]), 2.0, 4.0, 1e-3)


def test_convention_state_is_position_velocity_acceleration(bank):
    F, _ = transition(bank, 0.5)
    x = np.array([1, 2, 3, 10, 20, 30, 4, 8, 12.0])
    np.testing.assert_allclose((F[0] @ x)[:6], [6, 12, 18, 10, 20, 30])
    np.testing.assert_allclose(F[1] @ x, [6.5, 13, 19.5, 12, 24, 36, 4, 8, 12])


def test_known_process_noise(bank):
    _, Q = transition(bank, 0.5)
    white_acceleration = 2.0 * np.array([[1 / 24, 1 / 8], [1 / 8, 1 / 2]])
    np.testing.assert_allclose(Q[0][np.ix_([1, 4], [1, 4])], white_acceleration)
    t = 0.5
    white_jerk = 3.0 * np.array(
        [
            [t**5 / 20, t**4 / 8, t**3 / 6],
            [t**4 / 8, t**3 / 3, t**2 / 2],
            [t**3 / 6, t**2 / 2, t],
        ]
    )
    np.testing.assert_allclose(Q[1][2::3, 2::3], white_jerk)
    np.testing.assert_allclose(np.diag(Q[0])[6:], 16.0)


def test_one_long_step_equals_many_short_ones(bank):
    F_long, Q_long = transition(bank, 0.9)
    F, Q = np.tile(np.eye(9), (2, 1, 1)), np.zeros((2, 9, 9))
    for dt in (0.1, 0.25, 0.55):
        f, q = transition(bank, dt)
        F, Q = f @ F, f @ Q @ f.swapaxes(-1, -2) + q
    np.testing.assert_allclose(F, F_long, atol=1e-14)
    np.testing.assert_allclose(Q[:, :6, :6], Q_long[:, :6, :6], atol=1e-14)
    np.testing.assert_allclose(Q[1], Q_long[1], atol=1e-14)


def test_motion_knows_no_direction(bank):
    rotation = np.kron(np.eye(3), np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0])
    for matrix in transition(bank, 0.3):
        np.testing.assert_allclose(rotation @ matrix @ rotation.T, matrix, atol=1e-14)


def test_several_times_at_once(bank):
    F, Q = transition(bank, np.array([0.1, 0.2]))
    assert F.shape == Q.shape == (2, 2, 9, 9)
    np.testing.assert_array_equal(F[1], transition(bank, 0.2)[0])


def test_switching_forgets_at_its_rate(bank):
    twice = stay_or_switch(bank, 0.1) @ stay_or_switch(bank, 0.2)
    np.testing.assert_allclose(twice, stay_or_switch(bank, 0.3))
    np.testing.assert_allclose(stay_or_switch(bank, 0.0), np.eye(2))
    np.testing.assert_allclose(stay_or_switch(bank, 100.0), [[0.7, 0.3], [0.7, 0.3]])
    assert stay_or_switch(bank, 0.5)[0, 1] == pytest.approx(0.3 * (1 - np.exp(-1.0)))


def test_a_fall_is_that_of_a_dropped_stone(bank):
    g = np.array([0.0, 0.0, -9.81])
    np.testing.assert_allclose(fall(bank, 2.0, g), [0, 0, -19.62, 0, 0, -19.62, 0, 0, 0])
    np.testing.assert_array_equal(fall(bank, 2.0), np.zeros(9))
    each = fall(bank, np.array([1.0, 2.0]), np.stack([g, 2 * g]))
    np.testing.assert_allclose(each[:, 5], [-9.81, -39.24])


def test_objects_do_not_switch_between_experts():
    noise, share = np.ones(3), np.array([0.7, 0.3, 1.0])
    two = MotionBank(noise > 2, noise, share, 2.0, 4.0, 1e-3, expert=np.array([0, 0, 1]))
    assert two.spans == (slice(0, 2), slice(2, 3))
    odds = stay_or_switch(two, 0.4)
    np.testing.assert_allclose(odds.sum(axis=1), 1.0)
    np.testing.assert_array_equal(odds[2], [0, 0, 1])
    np.testing.assert_array_equal(odds[:2, 2], 0)
