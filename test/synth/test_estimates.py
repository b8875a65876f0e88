"""States as a filter leaves them: honest about errors that last."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.encounters import draw_encounters
from liquid_mono3d_ros.synth.estimates import draw_estimates
from liquid_mono3d_ros.synth.staging import Staging


@pytest.fixture(scope="module", params=["train", "test"])
def drawn(request):
    staging, rng = Staging(split=request.param), np.random.default_rng(3)
    encounters = draw_encounters(staging, 300, rng)
    stamp = np.cumsum(rng.uniform(0.6, 1.4, (300, 120)) / 60, axis=1)
    state, covariance = draw_estimates(encounters, stamp, staging, rng)
    truth = np.concatenate(encounters.at(stamp), axis=3)
    return state - truth, covariance, encounters


def squared(error, covariance):
    solved = np.linalg.solve(covariance, error[..., None])[..., 0]
    return np.einsum("...i,...i->...", error, solved)


def test_covariance_is_honest(drawn):
    error, covariance, _ = drawn
    place = squared(error[..., :3], covariance[..., :3, :3])
    assert place.mean() == pytest.approx(3.0, rel=0.05)
    assert (place < 7.815).mean() == pytest.approx(0.95, abs=0.01)
    assert squared(error, covariance).mean() == pytest.approx(6.0, rel=0.05)
    velocity = squared(error[..., 3:], covariance[..., 3:, 3:])
    assert velocity.mean() == pytest.approx(3.0, rel=0.05)
    assert place[:, :, 0].mean() == pytest.approx(3.0, rel=0.15)
    np.testing.assert_allclose(covariance, covariance.swapaxes(3, 4))


def test_errors_last_and_fade(drawn):
    error = drawn[0][..., :3]
    beside = np.corrcoef(error[:, :, 1:].ravel(), error[:, :, :-1].ravel())[0, 1]
    apart = np.corrcoef(error[:, :, 100:].ravel(), error[:, :, :-100].ravel())[0, 1]
    assert beside > 0.7
    assert abs(apart) < 0.15


def test_depth_is_what_is_known_least(drawn):
    _, covariance, encounters = drawn
    ray = encounters.place - encounters.centre[:, None]
    far = np.linalg.norm(ray, axis=2)
    along = np.einsum("noi,noij,noj->no", ray, covariance[:, :, 60, :3, :3], ray) / far**2
    across = np.trace(covariance[:, :, 60, :3, :3], axis1=2, axis2=3) - along
    assert np.median(along / across) > 4
    assert np.median(np.sqrt(along) / far) < 0.02
