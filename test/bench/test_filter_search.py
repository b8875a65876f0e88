import json

import numpy as np
import pytest

from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_search import (
    objective,
    read_tuned,
    search,
    tune,
    write_tuned,
)
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flights import draw_flights


def test_search_finds_a_minimum_on_the_logarithmic_scale():
    space = {"a": (1e-3, 1e3, 1.0), "b": (1e-3, 1e3, 1.0)}

    def away(values):
        return (np.log(values["a"]) - 3.0) ** 2 + (np.log(values["b"]) + 2.0) ** 2

    found, value = search(space, away)
    assert value < 0.01
    assert found["a"] == pytest.approx(np.e**3, rel=0.1)
    assert search(space, away) == (found, value), "seeded"


def test_search_counts_its_evaluations_and_begins_where_told():
    asked = []

    def count(values):
        asked.append(values["a"])
        return values["a"]

    search({"a": (1.0, 9.0, 4.0)}, count, evaluations=17)
    assert len(asked) == 17
    assert asked[0] == pytest.approx(4.0)
    assert min(asked) >= 1.0 - 1e-9
    assert max(asked) <= 9.0 + 1e-9


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
