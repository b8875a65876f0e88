import numpy as np
import pytest

from liquid_mono3d_ros.synth.attributes import MOTIONS as WORDS
from liquid_mono3d_ros.train.motion_tracks import CONDITIONS, NAMES, draw_tracks, observable


@pytest.fixture(scope="module")
def tracks():
    return draw_tracks(80, 1)


def test_every_class_equally_often_and_of_the_words_for_it(tracks):
    assert np.bincount(tracks.label).tolist() == [10] * 8
    assert tuple(NAMES.values()) == WORDS
    assert tracks.t.shape == (80, CONDITIONS.num_frames)
    assert tracks.sigma.shape == (80, CONDITIONS.num_frames)


def test_fewer_of_a_seed_are_the_first(tracks):
    np.testing.assert_array_equal(draw_tracks(30, 1).xyz, tracks.xyz[:30])


def judged(name, xyz, sigma=0.01, seconds=3.0):
    t = np.linspace(0, seconds, 300)[None]
    velocity = np.gradient(xyz(t[0]), t[0], axis=0)[None]
    label = np.array([list(NAMES.values()).index(name)])
    return bool(
        observable(label, np.eye(3)[None], t, xyz(t[0])[None], velocity, np.array([sigma]))[0]
    )


def spiral_up(rate, climb, radius=1.0):
    return lambda t: np.stack(
        [radius * np.cos(rate * t), radius * np.sin(rate * t), climb * t], axis=1
    )


@pytest.mark.parametrize(
    ("name", "path", "shows"),
    [
        ("circle", spiral_up(np.deg2rad(41), 0), True),
        ("circle", spiral_up(np.deg2rad(39), 0), False),
        ("helix", spiral_up(2, 0.02), True),
        ("helix", spiral_up(2, 0.015), False),
        ("turn", spiral_up(np.deg2rad(11), 0, 2.0), True),
        ("turn", spiral_up(np.deg2rad(9), 0, 2.0), False),
        ("turn", spiral_up(np.deg2rad(11), 0, 0.5), False),
        ("line", lambda t: np.outer(t, [0.02, 0, 0]), True),
        ("line", lambda t: np.outer(t, [0.01, 0, 0]), False),
        ("hover", lambda t: np.outer(0 * t, [1, 0, 0]), True),
    ],
)
def test_from_where_a_class_is_observable(name, path, shows):
    assert judged(name, path) == shows


def test_a_stop_must_last():
    def stops(rest):
        return lambda t: np.outer(np.minimum(t, 1) + np.maximum(t - 1 - rest, 0), [1, 0, 0])

    assert judged("stop-and-go", stops(0.3))
    assert not judged("stop-and-go", stops(0.1))


def test_a_bounce_must_be_seen_on_both_sides():
    def bounces(at):
        return lambda t: np.stack([0 * t, 0 * t, np.abs(3 * (t - at))], axis=1)

    assert judged("bounce", bounces(1.5))
    assert not judged("bounce", bounces(2.98))


def test_a_parabola_needs_its_sag():
    def falls(t):
        return np.stack([t, 0 * t, -9.81 * t**2 / 2], axis=1)

    assert judged("parabola", falls, sigma=2.0)
    assert not judged("parabola", falls, sigma=2.5)
