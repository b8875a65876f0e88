import importlib.util

import numpy as np
import pytest

from liquid_mono3d_ros.bench import filter_step
from liquid_mono3d_ros.bench.filter_step import Contender, core_step, flight, race, whole_update


def test_it_times_every_step_by_both_clocks():
    done = []
    field = [
        Contender("step", "fast", 1, lambda: done.append(1)),
        Contender("step", "slow", 1, lambda: sum(range(20_000))),
    ]
    race(field, 2)
    fast, slow = (one.row() for one in field)
    assert len(field[0].cpu) == len(field[0].wall) == len(done) - 4
    assert fast["cpu_p50_us"] < slow["cpu_p50_us"] <= slow["cpu_p99_us"]
    assert slow["wall_p50_us"] > 50


@pytest.mark.parametrize("kind", ["imm", "liquid"])
def test_the_contenders_follow_the_same_motion(kind):
    z = flight(3)
    assert np.abs(np.diff(z, axis=0)).max() < 1.0, "no leaps, not even where it turns back"
    for make in (core_step, whole_update):
        for _ in range(3):
            make(kind, z, use_native=False)()


def test_a_missing_peer_has_no_row_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert filter_step.peer_step(flight(1)) is None
    assert capsys.readouterr().out == "filterpy is not installed: no rows for it.\n"


def test_the_report_has_rows_bars_and_the_import(monkeypatch):
    monkeypatch.setattr(filter_step, "TRACKS", (1,))
    monkeypatch.setattr(filter_step, "SLICE", 0.001)
    report = filter_step.measure(runs=1, imports=1)
    works = [row["work"] for row in report.rows if "work" in row]
    assert {"step", "update"} <= set(works)
    imported = [row for row in report.rows if "import" in row]
    assert not imported[0]["torch"]
    assert imported[0]["cpu_s"] > imported[1]["cpu_s"] > 0
    names = [target.name for target in report.targets]
    assert "step_liquid_numpy_1_tracks_cpu_p50_us" in names
    assert "import_cpu_s" in names
    assert len(report.rows) > 8
