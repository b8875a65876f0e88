import numpy as np
import pytest

from liquid_mono3d_ros.bench import persistence
from liquid_mono3d_ros.bench.persistence import CONDITIONS, COUNTING, MAIN, measure
from liquid_mono3d_ros.bench.persistence_node import WAYS, confirming_update, points_at
from liquid_mono3d_ros.bench.persistence_peers import PEERS
from liquid_mono3d_ros.bench.persistence_runs import judged, watch
from liquid_mono3d_ros.bench.persistence_scores import LEVELS
from liquid_mono3d_ros.liquid.persistence import load_judge
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.synth.births import draw_births

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def births():
    return draw_births(16, 4)


def test_the_bench_hears_what_the_node_hears(births):
    judge, reason = load_judge("")
    assert judge is not None, reason
    said = judged(judge, watch(births))
    settings = FilterSettings(confirm_window=100, confirm_measurements=5, coast_time=30.0)
    for row in range(len(births)):
        track_filter = TrackFilter(settings)
        for k in range(births.flights.t.shape[1]):
            now = track_filter.update(points_at(births, row, k)).now.trajectories[0]
            assert now.persistence == pytest.approx(said[row, k], abs=2e-3)


def test_the_node_counts_to_three(births):
    settings = FilterSettings(lag=0, horizon=0.0)
    seen = births.flights.seen
    for row in np.flatnonzero(seen[:, :3].all(axis=1)).tolist():
        assert confirming_update(births, row, settings) in (3, 4, 5)  # later if one is gated


def test_report_of_few_tracks(tmp_path, monkeypatch):
    two = {name: CONDITIONS[name] for name in ("8 Hz", "clutter is all reflections")}
    monkeypatch.setattr(persistence, "CONDITIONS", two)
    monkeypatch.setattr(persistence, "DRAWS", 20)
    report = measure(quick=True, tracks=96, figure=str(tmp_path))
    assert (tmp_path / "persistence.png").stat().st_size > 0
    rows = report.rows
    assert {row["condition"] for row in rows if "condition" in row} == set(two)
    equal = [row for row in rows if row.get("table") == "equal rate"]
    assert {MAIN, COUNTING, *PEERS} < {row["method"] for row in equal}
    for level in LEVELS:
        mine = [row for row in equal if row["false_tracks_percent"] == 100 * level]
        assert len({row["false_percent"] for row in mine}) == 1  # equal indeed
    areas = next(row for row in rows if row.get("method") == MAIN and "table" not in row)
    curve = areas["auc_after_1_to_15_updates"]
    assert len(curve) == 15
    assert curve[0] == 0.5  # nothing is known at birth
    assert curve[9] > 0.85
    assert len([row for row in rows if "node" in row]) == len(WAYS)
    assert len(report.targets) == 2 * len(LEVELS)
    drawn = [row for row in rows if "births" in row]
    assert all(row["commoner_answer_percent"] == 50 for row in drawn)
