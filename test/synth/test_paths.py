import numpy as np
import pytest

from liquid_mono3d_ros.synth.paths import (
    GRAVITY,
    PATHS,
    Bounce,
    Circle,
    FigureEight,
    Helix,
    Hover,
    Line,
    Parabola,
    StopAndGo,
)


@pytest.mark.parametrize("name", PATHS)
def test_velocity_is_the_derivative_of_position(name):
    path, step = PATHS[name], 1e-6
    t = np.linspace(0.013, 4, 400)
    if isinstance(path, Bounce):  # but at the impacts, where there is none
        t = t[np.abs(t[:, None] - path.impacts()).min(axis=1) > 1e-3]
    slope = (path.xyz(t + step) - path.xyz(t - step)) / (2 * step)
    assert path.xyz(t).shape == path.velocity(t).shape == (len(t), 3)
    np.testing.assert_allclose(path.velocity(t), slope, atol=1e-4)


def test_known_positions():
    t = np.array([0.0, 1.0])
    np.testing.assert_allclose(Line((1, 2, 3), (1, 0, -1)).xyz(t), [(1, 2, 3), (2, 2, 2)])
    np.testing.assert_allclose(
        Circle((0, 0, 1), radius=2, rate=np.pi / 2).xyz(t), [(2, 0, 1), (0, 2, 1)], atol=1e-15
    )
    np.testing.assert_allclose(
        Helix((0, 0, 0), 1, 2 * np.pi, 0.3).xyz(t)[1], (1, 0, 0.3), atol=1e-15
    )
    np.testing.assert_allclose(FigureEight((0, 0, 1)).xyz(t[:1]), [(0, 0, 1)])


def test_convention_gravity_pulls_along_minus_z():
    path = Parabola((0, 0, 0), (1, 0, GRAVITY / 2))
    np.testing.assert_allclose(path.xyz(np.array([1.0])), [(1, 0, 0)], atol=1e-12)
    np.testing.assert_allclose(path.velocity(np.array([1.0]))[0], (1, 0, -GRAVITY / 2))


def test_stop_and_go_rests_between_strides():
    path = StopAndGo((0, 0, 0), (1, 0, 0), go=1.0, stop=0.5)
    np.testing.assert_allclose(path.velocity(np.linspace(1.0, 1.499, 9)), 0, atol=1e-12)
    np.testing.assert_allclose(path.xyz(np.array([1.2, 2.7]))[:, 0], (1, 2))


def test_bounce_obeys_its_restitution_and_ends_rolling():
    path = Bounce((0, 0, 1.0), (0.5, 0.0), restitution=0.7)
    impacts = path.impacts()
    assert impacts[0] == pytest.approx(np.sqrt(2 / GRAVITY))
    before, after = path.velocity(np.array([impacts[1] - 1e-9, impacts[1] + 1e-9]))[:, 2]
    assert after / before == pytest.approx(-0.7)
    top = path.xyz(np.array([(impacts[0] + impacts[1]) / 2]))[0, 2]
    assert top == pytest.approx(0.49)
    late = np.array([100.0])
    np.testing.assert_allclose(path.xyz(late), [(50, 0, 0)], atol=1e-9)
    np.testing.assert_allclose(path.velocity(late), [(0.5, 0, 0)])
    with pytest.raises(ValueError, match="bounce must be of positive height"):
        Bounce(restitution=1.0)


def test_hover_stays_near():
    away = Hover(wander=0.02).xyz(np.linspace(0, 60, 2000)) - Hover().centre
    assert np.abs(away).max() <= 0.02


def test_times_must_be_a_vector():
    with pytest.raises(ValueError, match=r"t must be of shape \(T\); got shape \(2, 2\)"):
        Line().xyz(np.zeros((2, 2)))
