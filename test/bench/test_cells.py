import pytest

from liquid_mono3d_ros.bench import cells
from liquid_mono3d_ros.bench.cell_peers import Entrant
from liquid_mono3d_ros.bench.cells import BATCH, _table, _targets, measure, race


def test_the_race_is_interleaved_and_the_fastest_round_counts(monkeypatch):
    order = []
    times = iter([1.0, 1.0, 5.0, 3.0, 4.0, 2.0])
    monkeypatch.setattr(cells, "_time", lambda run, repeats: (run(), next(times))[1])
    field = [Entrant(name, 1, lambda name=name: order.append(name)) for name in "ab"]
    found = race(field, 2)
    assert [(entrant.name, seconds) for entrant, seconds in found] == [("a", 4.0), ("b", 2.0)]
    assert order[-4:] == ["a", "b", "a", "b"]


def test_rows_and_targets():
    field = [
        (Entrant("fixed, native", 10, print), 1e-6),
        (Entrant("ncps CfC", 20, print), 5e-5),
    ]
    rows = list(_table("step", 64, BATCH, field))
    assert rows[1]["of_fixed_ratio"] == pytest.approx(50)
    assert rows[1]["cpu_us"] == pytest.approx(50)
    targets = {target.name: target for target in _targets(rows)}
    assert set(targets) == {"step_64_units_batch_64_us", "step_64_units_batch_64_ncps CfC_ratio"}
    assert all(target.met for target in targets.values())
    rows[0]["cpu_us"], rows[1]["of_fixed_ratio"] = 40.0, 1.25
    assert not any(target.met for target in _targets(rows))


def test_a_small_measurement(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(cells, "SLICE", 1e-4)
    monkeypatch.setattr(cells, "STEPS", 3)
    monkeypatch.setattr("liquid_mono3d_ros.bench.cell_peers.is_there", lambda package: False)
    report = measure(runs=1, quick=True)
    names = {(row["work"], row["batch"], row["cell"]) for row in report.rows}
    assert {("step", 1, "fixed, numpy"), ("step", 64, "nn.GRUCell")} <= names
    assert {("training", 64, "fixed"), ("training", 64, "nn.GRU")} <= names
    assert all(row["cpu_us"] > 0 for row in report.rows)
    kept = {row["cell"]: row["kept_for_backward_mb"] for row in report.rows if "mb" in str(row)}
    assert kept["fixed"] < kept["nn.GRU"]


def test_another_device_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="device must be cpu or cuda; got 'tpu'"):
        measure(device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device must be present; got no CUDA device"):
            measure(device="cuda")
