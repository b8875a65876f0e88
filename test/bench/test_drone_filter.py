from dataclasses import replace

import numpy as np
import pytest
import yaml

from liquid_mono3d_ros.bench.drone_data import Flight, Labels
from liquid_mono3d_ros.bench.drone_filter import measure, ratio, score, targets
from liquid_mono3d_ros.bench.drone_kalman import filter_pairs, run_kalman
from liquid_mono3d_ros.bench.drone_noise import degraded
from liquid_mono3d_ros.bench.drone_runs import LATE, Scored, filters, is_scored, run_filter
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS
from liquid_mono3d_ros.synth.rigs import stereo_rig


def labels(n=6000, rate=30.0):
    k = np.arange(n)
    return np.column_stack([k, k / rate, 900 + 0 * k, 500 + 0 * k])


def test_degradation_is_as_published():
    rows = degraded(labels(), 1920, 1080, np.random.default_rng(0))
    clean = labels()[rows[:, 0].astype(int)]
    away = rows[:, 2:] - clean[:, 2:]
    usual = np.abs(away).max(axis=1) < 15
    assert 1 - usual.mean() == pytest.approx(0.02, abs=0.008)
    assert away[usual].std() == pytest.approx(2.5, abs=0.1)
    missing = np.diff(rows[:, 0])
    long = missing[missing > 10] / 30.0
    assert 5 < len(long) < 25, "one gap in 15 s"
    assert long.max() < 2.0
    assert len(rows) / 6000 == pytest.approx(0.85 * (1 - 1 / 15), abs=0.04)


def test_noise_is_larger_in_larger_images():
    rows = degraded(labels(), 3840, 2160, np.random.default_rng(0))
    away = rows[:, 2:] - [900, 500]
    assert away[np.abs(away).max(axis=1) < 30].std() == pytest.approx(5.0, abs=0.2)


def test_kalman_filter_follows_and_the_smoother_follows_better():
    rng = np.random.default_rng(0)
    t = np.arange(300) / 15.0
    truth = np.column_stack([3 * np.sin(0.5 * t), 3 * np.cos(0.5 * t), 0.5 * t])
    xyz = truth + rng.normal(0, 0.1, truth.shape)
    xyz[50] += 20.0
    R = 0.01 * np.eye(3) + np.zeros((300, 1, 1))
    found = run_kalman(t, xyz, R, 10.0)
    at = np.searchsorted(t, found.t)
    filtered, smoothed = (
        np.linalg.norm(p - truth[at], axis=1)[10:] for p in (found.xyz, found.smoothed)
    )
    assert smoothed.mean() < 0.8 * filtered.mean() < 0.8 * 0.1 * 3**0.5
    assert filtered.max() < 1.0, "the gate keeps the outlier out"


def test_kalman_filter_ends_tracks_at_gaps_and_begins_none_of_two_points():
    t = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 5.0, 5.1])
    found = run_kalman(t, np.zeros((7, 3)), np.tile(0.01 * np.eye(3), (7, 1, 1)), 1.0)
    np.testing.assert_allclose(found.t, [0.2, 0.3, 0.4])


def test_pairs_of_a_rig_are_filtered():
    rig = stereo_rig()
    t = np.arange(0.0, 20.0, 1 / 30)
    truth_t = np.arange(0.0, 20.01, 0.2)

    def path(at):
        return np.column_stack([3 + 0 * at, 0.3 * np.sin(at), 0.5 + 0.2 * np.cos(at)])

    rng = np.random.default_rng(1)
    seen = {
        name: Labels(t, camera.project(path(t)) + rng.normal(0, 0.5, (len(t), 2)), 1 / 30, True)
        for name, camera in rig.cameras.items()
    }
    truth = np.column_stack([truth_t, path(truth_t), np.ones(len(truth_t))])
    flight = Flight(Rig(rig.cameras, up=np.array([0.0, 0, 1])), seen, truth, 8.0, 20.0)
    found = filter_pairs(flight, tuple(rig.cameras))
    scored = is_scored(flight, found.t)
    assert scored.sum() > 300
    error = np.linalg.norm(found.xyz - path(found.t), axis=1)[scored]
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_ratio_counts_only_where_both_speak():
    rng = np.random.default_rng(0)
    block, theirs = np.repeat(np.arange(20), 10), rng.exponential(size=200)
    ours = 0.5 * theirs
    ours[::7] = np.nan
    one, other = (Scored(block, e, e * np.nan) for e in (ours, theirs))
    assert ratio(one, other) == pytest.approx((0.5, 0.5, 0.5))
    nothing = Scored(block, theirs * np.nan, theirs)
    assert np.isnan(ratio(nothing, other)).all()


def test_the_filters_are_the_defaults_the_tuned_bank_and_both_networks():
    found = filters()
    assert list(found) == ["imm", "imm-tuned", "liquid", "liquid-strict"]
    assert found["imm-tuned"].turning_noise == Adviser.load(WEIGHTS).bank["turning_noise"]
    assert found["imm-tuned"].filter == found["imm"].filter == "imm"
    assert found["liquid"].weights != found["liquid-strict"].weights


def test_weights_that_cannot_be_read_are_an_error_here(tmp_path):
    missing = replace(filters()["liquid"], weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(ValueError, match="The imm filter runs instead"):
        run_filter([], missing)


def made_up(labels="noisy"):
    """Rows of one pair: our errors are 0.9 of the tuned bank's, and 0.8 of the Kalman filter's."""
    rng = np.random.default_rng(0)
    block, error = np.repeat(np.arange(30), 10), rng.exponential(size=300)
    inside = (rng.random(300) < 0.93).astype(float)
    factors = {"raw": 1.3, "kf": 1.0, "rts (offline)": 0.5, "imm": 0.9, "imm-tuned": 8 / 9}
    for name in ("liquid", "liquid-strict"):
        factors |= {name: 0.8, name + LATE: 0.7, name + ", one camera": 5.0}
    found = {name: Scored(block, factor * error, inside) for name, factor in factors.items()}
    return score(found, {"data": "ds", "cameras": ["a", "b"], "labels": labels, "seeds": 3})


def test_rows_say_how_each_compares():
    rows = {row["method"]: row for row in made_up()}
    assert rows["liquid"]["over_kf"] == pytest.approx(0.8)
    assert rows["liquid"]["over_tuned"] == pytest.approx(0.9)
    assert rows["liquid"]["over_tuned_high_95"] == pytest.approx(0.9)
    assert rows["raw"]["over_raw"] == pytest.approx(1.0)
    assert np.isnan(rows["liquid, one camera"]["over_kf"]), "scored apart"
    assert rows["liquid"]["inside_95_percent"] == pytest.approx(93, abs=5)


def test_the_claims_are_the_targets():
    met = {t.name.removeprefix("ds_a+b_"): t.met for t in targets(made_up())}
    for name in ("liquid", "liquid_strict"):
        assert met[f"noisy_{name}_over_kf"]
        assert met[f"noisy_{name}_over_kf_upper_95"]
        assert met[f"noisy_{name}_over_tuned"]
        assert met[f"noisy_{name}_coverage_off_92_percent"]
        assert met[f"noisy_{name}_lag_5_rmse_m"], "0.7 is less than half way from 1 to 0.5"
    clean = targets(made_up("clean"))
    assert [t.name for t in clean] == [
        "ds_a+b_clean_liquid_over_raw", "ds_a+b_clean_liquid_strict_over_raw",
    ]  # fmt: skip
    assert all(t.met for t in clean)


def write_flight(folder, rng, seconds=16.0):
    """A drone before two cameras in the published format."""
    rig, header = stereo_rig(baseline=1.0), "frame,t,u,v"
    folder.mkdir()

    def path(at):
        return np.column_stack([4 + 0 * at, 0.8 * np.sin(at), 1.0 + 0.4 * np.cos(at)])

    cameras = {}
    for name, camera in rig.cameras.items():
        t = np.arange(0.0, seconds, 1 / 15)
        uv = camera.project(path(t)) + rng.normal(0, 0.5, (len(t), 2))
        rows = np.column_stack([np.arange(len(t)), t, uv])
        form = ("%d", "%.5f", "%.2f", "%.2f")
        np.savetxt(folder / f"{name}.csv", rows, form, ",", header=header, comments="")
        cameras[name] = {
            "width": camera.width, "height": camera.height, "K": camera.K.tolist(),
            "dist": [0.0] * 5, "distortion_model": "plumb_bob", "R": camera.R_cw.tolist(),
            "t": camera.t_cw.tolist(), "readout_s": 0.0, "fps": 15.0, "frame_rate": "fixed",
        }  # fmt: skip
    content = {"cameras": cameras, "t_cal_end": 6.0, "t_end": seconds}
    (folder / "cameras.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    t = np.arange(0.0, seconds, 0.2)
    truth = np.column_stack([t, path(t), np.ones(len(t))])
    np.savetxt(folder / "truth.csv", truth, "%.5f", ",", header="t,x,y,z,ok", comments="")
    return folder


def test_a_whole_folder_is_measured(tmp_path):
    folder = write_flight(tmp_path / "made", np.random.default_rng(0))
    report = measure(data=[str(folder)], cameras=["left+right"], seeds=1)
    rows = {(row["labels"], row["method"]): row for row in report.rows}
    assert len(rows) == 2 * (3 + 3 * 4)
    assert rows["clean", "imm"]["n"] > 100
    assert rows["clean", "imm"]["rmse_m"] < rows["clean", "raw"]["rmse_m"] < 0.2
    assert rows["noisy", "liquid"]["n"] > 40
    assert {t.name.split("_")[2] for t in report.targets} == {"clean", "noisy"}


def test_a_set_that_is_no_pair_is_refused(tmp_path):
    folder = write_flight(tmp_path / "made", np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"cameras must be pairs; got left\. Name two"):
        measure(data=[str(folder)], cameras=["left"])
