import numpy as np
import pytest
from advisers import adviser

from liquid_mono3d_ros.liquid.kalman import LiquidKalman
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings
from liquid_mono3d_ros.records import FilterKind, State

R = np.eye(3)[None] * 1e-4


def test_it_follows_predicts_and_drops():
    f = LiquidKalman(FilterSettings(filter="imm"))
    for k in range(10):
        found = f.update([3, 9], [[k / 30, 0, 1], [0, 0, 5]], np.tile(R, (2, 1, 1)), k / 30)
    assert [t.track_id for t in found.trajectories] == [3, 9]
    np.testing.assert_allclose(found.trajectories[0].velocity, [1, 0, 0], atol=0.05)
    ahead = f.predict(0.5).trajectories
    np.testing.assert_allclose(ahead[0].xyz, [0.5, 0, 1], atol=0.05)
    f.drop(9)
    states = [t.state for t in f.update([3], [[1 / 3, 0, 1]], R, 1 / 3).trajectories]
    assert states == [State.CONFIRMED, State.DELETED]


def test_nobody_seen_is_an_update_too():
    f = LiquidKalman(FilterSettings(filter="imm"))
    f.update([1], [[0, 0, 0]], R, 0.0)
    assert not f.update([], [], [], 0.1).trajectories[0].measured


def test_weights_of_a_file(tmp_path):
    adviser(loud=0.1).save(tmp_path / "own.safetensors")
    f = LiquidKalman.load(tmp_path / "own.safetensors")
    assert f.update([1], [[0, 0, 0]], R, 0.0).trajectories[0].filter == FilterKind.LIQUID


def test_weights_that_cannot_be_used_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="weights must be usable; got The imm filter runs"):
        LiquidKalman.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1], [[0, 0]], R, 0.0), r"xyz must be of shape \(1, 3\)"),
        (([1], [[0, 0, np.nan]], R, 0.0), "xyz must be finite"),
        (([1], [[0, 0, 0]], -R, 0.0), "covariance must be positive semi-definite"),
        (([1, 2], [[0, 0, 0]], R, 0.0), r"xyz must be of shape \(2, 3\)"),
    ],
)
def test_faults_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        LiquidKalman(FilterSettings(filter="imm")).update(*arguments)


def test_predict_into_the_past_is_an_error():
    f = LiquidKalman(FilterSettings(filter="imm"))
    f.update([1], [[0, 0, 0]], R, 1.0)
    with pytest.raises(ValueError, match="stamp must be at least the newest stamp"):
        f.predict(0.5)
