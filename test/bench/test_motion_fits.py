import numpy as np
import pytest

from liquid_mono3d_ros.bench.motion_fits import FAMILIES, Fit, Track, name_motion
from liquid_mono3d_ros.synth import moves
from liquid_mono3d_ros.train.motion_tracks import NAMES

T = np.arange(90)[None] / 30
ONE = np.ones(1)
PATHS = {
    "line": moves.line(T, speed=ONE),
    "circle": moves.circle(T, radius=ONE, rate=2 * ONE, phase=0.3 * ONE),
    "helix": moves.helix(T, radius=ONE, rate=-2 * ONE, phase=0.3 * ONE, climb=0.5 * ONE),
    "parabola": moves.parabola(T, drift=ONE, apex=ONE, flight=5 * ONE, carry=ONE),
    "turn": moves.turns(T, speed=ONE, rates=np.repeat([[0.0, 2.0, -1.0, 0.0]], 15, axis=1)),
    "stop-and-go": moves.stop_and_go(
        T,
        strides=np.array([[[1.0, 0, 0], [0.5, 0.8, 0], [0.2, 0.9, 0.1], [1.0, 0, 0]]]),
        go=0.8 * ONE,
        stop=0.5 * ONE,
        begun=0.2 * ONE,
    ),
    "bounce": moves.bounce(
        T, height=ONE, fallen=0.1 * ONE, drift=ONE, restitution=0.8 * ONE, grip=0.9 * ONE
    ),
    "hover": moves.hover(
        T,
        size=np.full((1, 2, 3), 0.05),
        rate=np.array([[[1.0, 0.7, 1.3], [2.0, 1.6, 0.5]]]),
        phase=np.arange(6.0).reshape(1, 2, 3),
    ),
}
TILT = np.linalg.qr(np.array([[2.0, 1, 0], [0, 3, 1], [1, 0, 2]]))[0]


def noisy(name, sigma):
    xyz = PATHS[name][0][0]
    if name not in ("parabola", "bounce"):
        xyz = xyz @ TILT.T
    return xyz + sigma * np.random.default_rng(1).normal(size=xyz.shape)


def test_the_families_are_the_classes():
    assert list(FAMILIES) == list(NAMES.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_each_motion_is_named(name):
    R = 0.01**2 * np.eye(3) + np.zeros((90, 1, 1))
    assert name_motion(T[0], noisy(name, 0.01), R) == name


@pytest.mark.parametrize("name", set(FAMILIES) - {"turn"})
def test_the_right_family_leaves_the_noise(name):
    track = Track.of(T[0], noisy(name, 0.01), 0.01**2 * np.eye(3) + np.zeros((90, 1, 1)))
    best = min(FAMILIES[name](track), key=lambda fit: fit.bic(270))
    assert 200 < best.chi2 < 340
    assert best.parameters <= 24


def test_parameters_cost():
    assert Fit(100.0, 6).bic(270) == pytest.approx(100 + 6 * np.log(270))


def test_a_covariance_is_heeded():
    """Where the noise is said to be large, a bend is none."""
    name = "circle"
    R = 0.01**2 * np.eye(3) + np.zeros((90, 1, 1))
    assert name_motion(T[0], noisy(name, 0.01), R) == name
    assert name_motion(T[0], noisy(name, 0.01), 1e5 * R) != name
