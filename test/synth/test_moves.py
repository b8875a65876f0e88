"""Formulas of the motions: velocities, known answers."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth import moves
from liquid_mono3d_ros.synth.paths import GRAVITY, Bounce, StopAndGo


def column(*values):
    return np.array(values, dtype=float)


def test_known_positions():
    t = np.array([[0.0, 1.0]])
    xyz, _ = moves.line(t, speed=column(2))
    np.testing.assert_allclose(xyz, [[(0, 0, 0), (2, 0, 0)]])
    xyz, _ = moves.helix(
        t, radius=column(2), rate=column(np.pi / 2), phase=column(0), climb=column(0.5)
    )
    np.testing.assert_allclose(xyz, [[(2, 0, 0), (0, 2, 0.5)]], atol=1e-15)
    xyz, _ = moves.spiral(
        t, radius=column(1), growth=column(2), rate=column(np.pi), phase=column(0)
    )
    np.testing.assert_allclose(xyz, [[(1, 0, 0), (-3, 0, 0)]], atol=1e-15)
    xyz, _ = moves.figure_eight(t, size=column(2), rate=column(np.pi / 4), phase=column(0))
    np.testing.assert_allclose(xyz, [[(0, 0, 0), (1, 2**0.5, 0)]], atol=1e-15)


def test_convention_gravity_pulls_along_minus_z():
    t = np.linspace(0, 1, 50)[None]
    _, velocity = moves.parabola(
        t, drift=column(1), apex=column(0.5), flight=column(4), carry=column(1)
    )
    np.testing.assert_allclose(velocity[0, :, 2], -GRAVITY * (t[0] - 0.5), atol=1e-12)
    np.testing.assert_allclose(velocity[0, :, 0], 1)


def test_what_is_caught_is_thrown_again_as_fast():
    one = {"drift": column(0), "apex": column(0.5), "flight": column(1), "carry": column(0.4)}
    xyz, velocity = moves.parabola(np.array([[0.5, 1.0, 1.2, 1.4, 1.9]]), **one)
    np.testing.assert_allclose(velocity[0, :, 2] / (GRAVITY / 2), (0, -1, 0, 1, 0), atol=1e-12)
    assert xyz[0, 0, 2] == pytest.approx(xyz[0, 4, 2], abs=1e-12)
    assert xyz[0, 2, 2] < xyz[0, 1, 2] == pytest.approx(-GRAVITY / 8)
    t = np.arange(0, 6, 1e-3)[None]
    _, velocity = moves.parabola(t, **one)
    assert np.abs(np.diff(velocity[0, :, 2])).max() < 1e-3 * 1.01 * GRAVITY / 2 * np.pi / 0.4


def test_a_constant_turn_rate_gives_a_circle():
    t = np.linspace(0, 3, 100)[None]
    xyz, velocity = moves.turns(t, speed=column(2), rates=np.full((1, 70), 4.0))
    centre = np.array([0, 0.5, 0])  # radius speed / rate, to the left
    np.testing.assert_allclose(np.linalg.norm(xyz[0] - centre, axis=1), 0.5)
    np.testing.assert_allclose(np.linalg.norm(velocity[0], axis=1), 2)
    straight, _ = moves.turns(t, speed=column(2), rates=np.zeros((1, 70)))
    np.testing.assert_allclose(straight[0, :, 0], 2 * t[0])


def test_stop_and_go_and_bounce_agree_with_the_paths_of_one_object():
    t = np.linspace(0, 4, 300)
    path = StopAndGo((0, 0, 0), (1.0, 0.5, 0), go=1.0, stop=0.5)
    strides = np.zeros((1, 5, 3)) + path.stride
    xyz, velocity = moves.stop_and_go(
        t[None], strides=strides, go=column(1), stop=column(0.5), begun=column(0)
    )
    np.testing.assert_allclose(xyz[0], path.xyz(t), atol=1e-12)
    np.testing.assert_allclose(velocity[0], path.velocity(t), atol=1e-12)
    ball = Bounce((0, 0, 1.0), (0.5, 0.0), restitution=0.7)
    xyz, velocity = moves.bounce(
        t[None],
        height=column(1),
        fallen=column(0),
        drift=column(0.5),
        restitution=column(0.7),
        grip=column(1),
    )
    np.testing.assert_allclose(xyz[0], ball.xyz(t), atol=1e-4)  # 30 bounces, not 100
    early = t < 2.4
    np.testing.assert_allclose(velocity[0, early], ball.velocity(t)[early], atol=1e-9)


def test_a_bounce_keeps_part_of_either_speed():
    fall = np.sqrt(2 / GRAVITY)
    t = np.array([[fall - 1e-9, fall + 1e-9, 60.0]])
    xyz, velocity = moves.bounce(
        t,
        height=column(1),
        fallen=column(0),
        drift=column(2),
        restitution=column(0.6),
        grip=column(0.8),
    )
    before, after, late = velocity[0]
    assert after[2] / before[2] == pytest.approx(-0.6)
    assert after[0] / before[0] == pytest.approx(0.8)
    assert xyz[0, 2, 2] == 0
    assert late[2] == 0
