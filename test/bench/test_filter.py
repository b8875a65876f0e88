import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from liquid_mono3d_ros.bench import filter as bench
from liquid_mono3d_ros.bench.filter_baselines import BASELINES
from liquid_mono3d_ros.bench.filter_claims import MAIN, slug
from liquid_mono3d_ros.bench.filter_conditions import (
    CONDITIONS,
    GAPS,
    HELD_OUT,
    QUICK,
    WITHOUT_GRAVITY,
    drawn_flights,
    gap_flights,
    training_flights,
)
from liquid_mono3d_ros.bench.filter_contest import compete, entrants
from liquid_mono3d_ros.bench.filter_estimates import Estimates, Learned, Regret, is_scored
from liquid_mono3d_ros.bench.filter_figures import draw_all, worst_tracks
from liquid_mono3d_ros.bench.filter_search import read_tuned
from liquid_mono3d_ros.synth.flights import draw_flights
from liquid_mono3d_ros.synth.motions import FAMILIES

TUNED = read_tuned()


def nearly_true(flights, known, *, part=0.3):
    """A stand-in for a network: the bank's estimates drawn towards the truth."""
    bank = BASELINES["imm3"].run(flights, TUNED["imm3"], known)
    xyz = flights.xyz + part * (bank.xyz - flights.xyz)
    n, frames = flights.t.shape
    loss = np.cumsum(np.ones((n, frames, 3)), axis=1)
    regret = Regret(loss, loss[..., 0] + 0.5, np.ones((n, frames)))
    return Estimates(xyz, bank.velocity, part**2 * bank.covariance, bank.log_density, None, regret)


def short_flights(name, tracks):
    return draw_flights(replace(CONDITIONS[name], frames=35), tracks, 7)


@pytest.fixture(scope="module")
def learned():
    size = MAIN.split()[0].partition("-")[2]
    return [
        Learned("liquid", size, "strict", 0, 9000, nearly_true),
        Learned("liquid", size, "strict", 1, 9000, partial(nearly_true, part=0.31)),
    ]


@pytest.fixture(scope="module")
def report(learned, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    few = {name: TUNED[name] for name in ("raw", "kf-cv", "imm3", "imm5")}
    patch.setattr(bench, "read_tuned", lambda: few)
    patch.setattr(bench, "QUICK", ("centre", "noise 2", "held out: bounce"))
    patch.setattr(bench, "WITHOUT_GRAVITY", ("centre",))
    patch.setattr(bench, "training_flights", lambda: short_flights("centre", 20))
    patch.setattr(bench, "drawn_flights", short_flights)
    folder = tmp_path_factory.mktemp("figures")
    found = bench.measure(quick=True, tracks=10, learned=learned, figure=str(folder))
    patch.undo()
    return found, sorted(path.name for path in folder.iterdir())


def test_conditions_change_one_thing_each():
    assert set(QUICK) <= set(CONDITIONS)
    assert set(WITHOUT_GRAVITY) <= set(CONDITIONS)
    centre = vars(CONDITIONS["centre"])
    for name, conditions in CONDITIONS.items():
        changed = [key for key, value in vars(conditions).items() if value != centre[key]]
        assert len(changed) <= 1 or name.startswith("corner"), name
    assert set(HELD_OUT) == {"bounce", "spiral", "figure_eight"}


def test_training_and_test_flights_are_not_the_same():
    train, test = training_flights(40), drawn_flights("centre", 20)
    assert not np.isin(test.xyz[:, 0, 0], train.xyz[:, 0, 0]).any()
    slow = train.B.any(axis=(1, 2, 3))
    assert slow.sum() == 40 // 5
    assert {FAMILIES[k] for k in test.family} & set(HELD_OUT) == set()


def test_gap_is_read_where_nothing_was_seen():
    gap = gap_flights(6)
    for age, frame in gap.frames.items():
        rows = np.arange(6)
        assert not gap.flights.seen[rows, frame].any()
        seen_at = np.where(gap.flights.seen, gap.flights.t, -np.inf)
        seen_at[gap.flights.t > gap.flights.t[rows, frame][:, None]] = -np.inf
        past = gap.flights.t[rows, frame] - seen_at.max(axis=1)
        np.testing.assert_allclose(past, age, atol=0.02)
    assert tuple(gap.frames) == GAPS


def test_report_has_a_row_for_each_filter_and_condition(report, learned):
    rows = [row for row in report[0].rows if "rmse_mm" in row]
    assert {row["filter"] for row in rows} >= {"raw", "kf-cv", "imm5", MAIN}
    assert [row["seeds"] for row in rows if row["filter"] == MAIN] == [2] * 4
    assert sum(row["gravity"] == "not told" for row in rows) * 4 == len(rows)
    json.dumps(report[0].document())


def test_bar_is_the_best_classical_and_the_ratio_is_ours_over_it(report):
    rows = report[0].rows
    centre = [r for r in rows if r.get("condition") == "centre" and r["gravity"] == "told"]
    rmse = {r["filter"]: r["rmse_mm"] for r in centre if "rmse_mm" in r}
    classical = {name: rmse[name] for name in ("raw", "kf-cv", "imm3", "imm5")}
    bar = min(classical, key=classical.get)
    found = next(
        r for r in centre if r["filter"] == MAIN and r.get("against") == bar and "rmse_ratio" in r
    )
    assert found["rmse_ratio"] == pytest.approx(rmse[MAIN] / rmse[bar], rel=0.02)
    assert found["low_95"] < found["rmse_ratio"] < found["high_95"]


def test_claims_are_named_and_judged(report):
    targets = {target.name: target for target in report[0].targets}
    assert targets["centre_rmse_over_bar"].met
    assert targets["centre_rmse_over_bar_upper_95"].met
    assert targets["noise_2_rmse_over_bar"].met
    assert targets["bounce_rmse_over_best_in_training"].met
    assert targets["regret_over_its_bound_nats"].value == pytest.approx(-0.5)


def test_nothing_is_claimed_without_the_network():
    flights = drawn_flights("centre", 6)
    few = {name: TUNED[name] for name in ("raw", "kf-cv")}
    contest = compete("centre", flights, True, entrants(few))
    assert bench.claims({("centre", True): contest}, "kf-cv", []) == []


def test_convention_world_and_gravity_turned_together_turn_the_outputs(report):
    rows = [row for row in report[0].rows if "turned_outputs_differ_m" in row]
    bank = next(row for row in rows if row["filter"] == "imm5")
    assert bank["turned_outputs_differ_m"] < 1e-6
    assert bank["rmse_turned_over_unturned"] == pytest.approx(1.0, abs=1e-6)


def test_lags_and_gaps_have_rows(report):
    lag = next(row for row in report[0].rows if "rmse_by_lag_mm" in row)
    assert len(lag["rmse_by_lag_mm"]) == 16
    assert lag["rmse_by_lag_mm"][10] < lag["rmse_by_lag_mm"][0]
    gaps = [row for row in report[0].rows if "rmse_after_1_s_mm" in row]
    for row in gaps:
        assert row["rmse_after_0.2_s_mm"] < row["rmse_after_1_s_mm"]


def test_every_picture_is_drawn(report):
    names = {"calibration", "lag", "motions", "parameters", "regret", "rotation", "worst"}
    assert report[1] == sorted(f"filter_{name}.png" for name in names)


def test_pictures_without_anything_to_show_are_left_out(tmp_path):
    flights = drawn_flights("centre", 5)
    shown = {"kf-cv": BASELINES["kf-cv"].run(flights, TUNED["kf-cv"], True)}
    names = [path.name for path in draw_all(tmp_path, [], shown, flights)]
    assert names == ["filter_motions.png", "filter_calibration.png", "filter_worst.png"]
    assert len(worst_tracks(shown, flights)) == 4


def test_scored_frames_begin_at_the_second_measurement():
    flights = drawn_flights("centre", 5)
    scored = is_scored(flights)
    assert (scored.argmax(axis=1) >= 1).all()


def test_slug_is_part_of_a_metric():
    assert slug("held out: bounce") == "held_out_bounce"
    assert slug("dropout 20 %") == "dropout_20_percent"
