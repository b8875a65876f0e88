import math

import numpy as np
import pytest
from scipy import stats

from liquid_mono3d_ros.language.abstention import (
    _binomial_below,
    area_under_risk,
    calibrate_error_rate,
    calibrate_precision,
    risk_coverage,
)


def draw(rng, n):
    """Scores that say how likely a label is right."""
    scores = rng.beta(4, 1, n)
    return scores, rng.random(n) < scores


def test_the_error_rate_is_kept_on_average_and_not_by_silence():
    rng = np.random.default_rng(0)
    error, rates, stated = 0.05, [], []
    for _ in range(300):
        threshold = calibrate_error_rate(*draw(rng, 300), error)
        scores, correct = draw(rng, 2000)
        rates.append(np.mean((scores >= threshold.confidence) & ~correct))
        stated.append(np.mean(scores >= threshold.confidence))
    assert np.mean(rates) <= error + 2 * np.std(rates) / math.sqrt(len(rates))
    assert np.mean(rates) > 0.9 * error - 1 / 301
    assert np.mean(stated) > 0.5


def test_precision_fails_no_oftener_than_promised():
    rng = np.random.default_rng(1)
    error, doubt, broken, stated = 0.1, 0.1, 0, []
    for _ in range(150):
        threshold = calibrate_precision(*draw(rng, 400), error, doubt=doubt)
        scores, _ = draw(rng, 20000)
        chosen = scores >= threshold.confidence
        stated.append(chosen.mean())
        broken += bool(chosen.any()) and (1 - scores[chosen]).mean() > error
    assert broken <= doubt * 150 + 2 * math.sqrt(150 * doubt * (1 - doubt))
    assert np.mean(stated) > 0.3


def test_a_known_answer():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    correct = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1], bool)
    one = calibrate_error_rate(scores, correct, 0.2)  # (1 + 1) / (9 + 1)
    assert (one.confidence, one.stated, one.wrong) == (0.5, pytest.approx(5 / 9), 0.2)
    none = calibrate_error_rate(scores, correct, 0.1)
    assert none.confidence == 0.8
    every = calibrate_error_rate(scores, correct, 0.3)
    assert every.confidence == 0.1


def test_too_little_calibration_states_nothing():
    few = np.ones(5), np.ones(5, bool)
    for calibrate in (calibrate_error_rate, calibrate_precision):
        threshold = calibrate(*few, 0.02)
        assert threshold.confidence == math.inf
        assert threshold.stated == 0
        assert not threshold.apply("red", 1.0).known
        assert calibrate(np.zeros(0), np.zeros(0, bool), 0.5).confidence == math.inf


def test_equal_scores_are_stated_together():
    coverage, risk = risk_coverage(np.array([0.5, 0.5, 0.9]), np.array([1, 0, 1]))
    np.testing.assert_allclose(coverage, [1 / 3, 1])
    np.testing.assert_allclose(risk, [0, 1 / 3])


def test_a_better_order_has_less_area():
    rng = np.random.default_rng(2)
    scores, correct = draw(rng, 2000)
    assert area_under_risk(scores, correct) < area_under_risk(rng.random(2000), correct)


def test_binomial_agrees_with_scipy():
    for most, number, chance in ((0, 10, 0.1), (3, 50, 0.02), (40, 2000, 0.02)):
        assert _binomial_below(most, number, chance) == pytest.approx(
            stats.binom.cdf(most, number, chance)
        )


@pytest.mark.parametrize("error", [0.0, 1.0, -1.0])
def test_an_error_of_no_sense_is_refused(error):
    with pytest.raises(ValueError, match="error must be between 0 and 1"):
        calibrate_error_rate(np.ones(3), np.ones(3, bool), error)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="correct must be of shape"):
        calibrate_precision(np.ones(3), np.ones(4, bool), 0.1)
