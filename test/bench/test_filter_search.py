import json

import pytest

from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_search import (
    objective,
    read_tuned,
    tune,
    write_tuned,
)
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flights import draw_flights


def test_tuning_helps_and_is_kept(tmp_path):
    conditions = Conditions(rate=(20.0, 60.0), frames=30, outliers=0.02)
    flights = draw_flights(conditions, 12, 1)
    tuned = tune(flights, ["raw", "kf-cv"], evaluations=12)
    first = {name: value for name, (_, _, value) in BASELINES["kf-cv"].space.items()}
    run = BASELINES["kf-cv"].run
    before, after = (objective(run(flights, v, True), flights) for v in (first, tuned["kf-cv"]))
    assert after < before
    write_tuned(tuned, tmp_path / "tuned.json")
    read = read_tuned(tmp_path / "tuned.json")
    assert read["raw"] == {}
    assert read["kf-cv"]["miss"] == pytest.approx(tuned["kf-cv"]["miss"], rel=1e-3)


def test_every_baseline_is_tuned_within_its_space():
    tuned = read_tuned()
    for name, baseline in BASELINES.items():
        assert tuned[name].keys() == baseline.space.keys(), f"search {name} again"
        for key, (low, high, _) in baseline.space.items():
            assert 0.999 * low <= tuned[name][key] <= 1.001 * high
    json.dumps(tuned)
