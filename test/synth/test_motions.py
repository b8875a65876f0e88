"""Random motions: scales, velocities, what is held out."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.motions import (
    FAMILIES,
    HARD,
    REACH,
    STRICT,
    draw_motions,
    families_named,
    tilted,
)
from liquid_mono3d_ros.synth.paths import GRAVITY


def motions(name, *, n=60, duration=3.2, seed=0):
    family = np.full(n, FAMILIES.index(name))
    return draw_motions(family, np.full(n, duration), np.random.default_rng(seed))


def times(n, num, duration=3.2):
    inner = np.random.default_rng(1).uniform(0.01, duration - 0.01, (n, num))
    return np.sort(inner, axis=1)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("duration", [0.8, 9.0])
def test_velocity_is_the_derivative_of_position(name, duration):
    drawn, t, step = motions(name, duration=duration), times(60, 100, duration), 1e-6
    _, velocity = drawn.at(t)
    slope = (drawn.at(t + step)[0] - drawn.at(t - step)[0]) / (2 * step)
    off = np.abs(slope - velocity).max(axis=2)
    assert np.quantile(off, 0.999) < 1e-6
    if name != "bounce":  # an impact may fall between the two
        assert off.max() < 1e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_scales_are_those_of_things_near_a_robot(name):
    drawn, t = motions(name), times(60, 200)
    xyz, velocity = drawn.at(t)
    away = np.linalg.norm(xyz, axis=2).max(axis=1)
    assert (away < drawn.radius * 1.05 + 0.1).all()
    assert drawn.radius.max() < (7.5 if name == "parabola" else REACH + 1e-9)
    speed = np.linalg.norm(velocity, axis=2)
    assert speed.max() < 17
    assert name == "hover" or np.median(speed.max(axis=1)) > 0.3


@pytest.mark.parametrize("name", STRICT)
def test_strict_families_have_no_velocity_jumps(name):
    drawn, t = motions(name, duration=6.0), np.arange(0, 6, 1e-3) + np.zeros((60, 1))
    _, velocity = drawn.at(t)
    acceleration = np.linalg.norm(np.diff(velocity, axis=1), axis=2) / 1e-3
    assert acceleration.max() < (45 if name == "parabola" else 1.05 * HARD)


def test_strict_holds_out_jumps_spiral_and_figure_eight():
    assert set(FAMILIES) - set(STRICT) == {"bounce", "spiral", "figure_eight"}
    assert len(FAMILIES) == 10
    _, velocity = motions("bounce").at(np.arange(0, 3.2, 1e-3) + np.zeros((60, 1)))
    assert (np.linalg.norm(np.diff(velocity, axis=1), axis=2).max(axis=1) > 0.5).all()


def test_convention_free_flight_falls_along_minus_z():
    t = np.array([[1.0, 1.5]]) + np.zeros((60, 1))
    _, velocity = motions("parabola").at(t)
    change = np.diff(velocity, axis=1)[:, 0]
    np.testing.assert_allclose(change, np.array([0, 0, -GRAVITY / 2]) + np.zeros((60, 1)))


def test_turns_change_at_once_or_gently():
    t = np.arange(0, 3.2, 1e-3) + np.zeros((60, 1))
    _, v = motions("turns").at(t)
    speed = np.linalg.norm(v, axis=2)
    np.testing.assert_allclose(speed, speed[:, :1] + 0 * speed)
    heading = np.diff(v, axis=1) / 1e-3 / speed[:, 1:, None]
    jump = np.linalg.norm(np.diff(heading, axis=1), axis=2).max(axis=1)
    full = np.linalg.norm(heading, axis=2).max(axis=1)
    gentle = jump < 0.3 * full
    assert 0.25 < gentle.mean() < 0.8


def test_the_same_seed_gives_the_same_motions():
    t = times(60, 5)
    np.testing.assert_array_equal(motions("turns").at(t)[0], motions("turns").at(t)[0])
    assert not np.array_equal(motions("turns").at(t)[0], motions("turns", seed=1).at(t)[0])


def test_tilted_is_a_rotation():
    R = tilted(np.array([0.3, 0.0]), np.array([1.0, np.pi / 2]))
    np.testing.assert_allclose(
        R @ R.transpose(0, 2, 1), np.eye(3) + np.zeros((2, 1, 1)), atol=1e-15
    )
    np.testing.assert_allclose(R[1] @ [1, 0, 0], [0, 1, 0], atol=1e-15)


def test_unknown_families_are_refused():
    np.testing.assert_array_equal(families_named(("circle", "line")), (2, 0))
    with pytest.raises(ValueError, match=r"families must be of line, .*; got zigzag\. Choose"):
        families_named(("zigzag",))
    with pytest.raises(ValueError, match="got none"):
        families_named(())
