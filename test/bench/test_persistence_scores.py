import numpy as np
import pytest

from liquid_mono3d_ros.bench.persistence_scores import (
    area,
    confirmed,
    highest,
    interval,
    summary,
    threshold,
)

INF = np.inf
LASTING = np.array([True, True, False, False])


def test_a_track_is_confirmed_at_a_measurement():
    score, seen = np.array([[0.1, 0.9, 0.6]]), np.array([[True, False, True]])
    best = highest(score, seen)
    np.testing.assert_array_equal(best, [[0.1, 0.1, 0.6]])
    assert confirmed(best, 0.5).tolist() == [3]
    assert confirmed(best, 0.6).tolist() == [INF]


@pytest.mark.parametrize(("rate", "confirms"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.99, 3)])
def test_threshold_confirms_its_share_of_the_clutter(rate, confirms):
    best = np.array([[9.0], [1.0], [2.0], [3.0], [4.0]])
    lasting = np.array([True, False, False, False, False])
    above = threshold(best, lasting, rate)
    assert np.isfinite(confirmed(best, above)[~lasting]).sum() == confirms


def test_summary_counts_the_missed_as_the_whole_time():
    t = np.arange(5.0)[None] * 0.1 + np.zeros((4, 1))
    found = summary(np.array([3.0, INF, 2.0, INF]), t, LASTING)
    assert found == pytest.approx(
        {
            "false_percent": 50,
            "missed_percent": 50,
            "median_frames": INF,
            "mean_frames": 4,
            "median_ms": INF,
            "mean_ms": 300,
        }
    )


def test_area_by_hand():
    assert area(np.array([3.0, 4.0, 1.0, 2.0]), LASTING) == 1.0
    assert area(np.array([1.0, 2.0, 3.0, 4.0]), LASTING) == 0.0
    assert area(np.array([1.0, 1.0, 1.0, 1.0]), LASTING) == 0.5
    assert area(np.array([3.0, 1.0, 2.0, 1.0]), LASTING) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_interval_of_a_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(2.0, 1.0, 400)
    low, high = interval(lambda rows: float(values[rows].mean()), 400)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
