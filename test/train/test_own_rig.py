"""A filter fitted to recordings, in miniature: what is measured, what is kept, what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("mcap_ros2")
from recorded_rigs import RIG, recorded, write

from liquid_mono3d_ros.cli import train as command
from liquid_mono3d_ros.graph import FilterNodeSettings
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS, TrackFilter
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flights import draw_flights
from liquid_mono3d_ros.train import own_rig, recorded_tracks
from liquid_mono3d_ros.train.bank_search import space, tune_bank
from liquid_mono3d_ros.train.measured_conditions import (
    chosen_alike,
    measure_conditions,
    predictive_loss,
)

IMM = design_filter(FilterSettings(gravity=(0.0, 0.0, -9.81)), ("imm",))


@pytest.fixture(scope="module")
def road():
    return recorded(8.0)


@pytest.fixture
def bags(road, monkeypatch):
    """Recordings by name, without files: of points, of 2D tracks alone, of nothing."""
    found = {
        "points.mcap": road,
        "tracks.mcap": replace(road, points3d=[]),
        "nothing.mcap": replace(road, points3d=[], tracks2d={}),
    }
    monkeypatch.setattr(recorded_tracks, "read_road", lambda path: found[Path(path).name])
    return found


def mini(tmp_path, **stage):
    content = yaml.safe_load(share_path("config/recipes/filter.yaml").read_text(encoding="utf-8"))
    content["flights"].update(count=40, validation=10)
    content["stages"] = [{"loop": "open", "steps": 3, **stage}]
    content["training"].update(tracks=4)
    path = tmp_path / "mini.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def known_flights(**conditions):
    """Simulated flights whose world is not turned, as if they had been recorded."""
    drawn = draw_flights(Conditions(frames=45, rotate=False, **conditions), 20, 5)
    nobody = np.full_like(drawn.xyz, np.nan)
    return replace(drawn, xyz=nobody, velocity=nobody)


def test_tracks_are_cut_in_two_and_into_stretches(bags):
    tracks = recorded_tracks.read_tracks(["points.mcap"])
    assert tracks.frame_id == "world"
    stamps = [one.stamp for one in bags["points.mcap"].points3d]
    fit, held = tracks.fit.seen.sum(), tracks.held.seen.sum()
    assert held / (fit + held) == pytest.approx(recorded_tracks.HELD, abs=0.02)
    assert fit + held <= len(stamps)
    assert tracks.fit.t.shape[1] == recorded_tracks.LONGEST
    first = next(one for one in bags["points.mcap"].points3d if len(one))
    np.testing.assert_allclose(tracks.fit.z[0, 0], first.xyz[0])
    assert np.isnan(tracks.fit.xyz).all()


def test_2d_tracks_alone_are_triangulated(bags):
    points = recorded_tracks.read_tracks(["points.mcap"])
    tracks = recorded_tracks.read_tracks(["tracks.mcap"], RIG)
    assert tracks.fit.seen.sum() == pytest.approx(points.fit.seen.sum(), rel=0.05)


@pytest.mark.parametrize(
    ("name", "rig", "text"),
    [
        ("tracks.mcap", None, r"--rig must be a rig file; got none"),
        ("nothing.mcap", RIG, r"--data must be recordings with tracks; got none in"),
    ],
)
def test_what_cannot_be_used_is_said(bags, name, rig, text):
    with pytest.raises(ValueError, match=text):
        recorded_tracks.read_tracks([name], rig)


def test_a_recording_too_short_is_said(road, monkeypatch):
    short = replace(road, points3d=road.points3d[:10])
    monkeypatch.setattr(recorded_tracks, "read_road", lambda path: short)
    with pytest.raises(ValueError, match=r"Record for longer"):
        recorded_tracks.read_tracks(["short.mcap"])


def test_pauses_part_a_track(road):
    points = [
        one for one in road.points3d if not 2 < (one.stamp - road.points3d[0].stamp) / 1e9 < 4
    ]
    together, apart = recorded_tracks.stretches(road.points3d), recorded_tracks.stretches(points)
    assert (np.diff(apart.t[apart.seen.any(axis=1)][:, :60], axis=1) < 1.0).all()
    assert apart.seen.sum() < together.seen.sum()


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_noise_is_found_without_truth(noise):
    measured = measure_conditions(known_flights(noise=noise), IMM)
    assert np.sqrt(np.prod(measured.noise)) == pytest.approx(noise, rel=0.35)


def test_rate_drops_gaps_outliers_and_speed_are_found():
    flights = known_flights(rate=20.0, dropout=0.15, outliers=0.05, families=("line", "hover"))
    truth = draw_flights(
        Conditions(frames=45, rotate=False, rate=20.0, dropout=0.15, outliers=0.05,
                   families=("line", "hover")), 20, 5)  # fmt: skip
    measured = measure_conditions(flights, IMM)
    assert measured.rate == pytest.approx((20.0, 20.0), rel=0.1)
    assert measured.outliers == pytest.approx(truth.outlier[truth.seen].mean(), abs=0.03)
    missing = 1 - truth.seen.mean()
    assert measured.dropout == pytest.approx(missing, abs=0.05)
    speed = np.linalg.norm(truth.velocity[truth.seen], axis=1)
    assert measured.speed[1] == pytest.approx(np.percentile(speed, 95), rel=0.4)
    bursts = measure_conditions(known_flights(bursts=0.5), IMM).bursts
    assert 0.2 < bursts < 0.6
    Conditions(**{k: tuple(v) if isinstance(v, list) else v
                  for k, v in measured.simulated().items()})  # fmt: skip


def test_simulated_flights_like_the_measured_ones_are_chosen():
    flights = draw_flights(Conditions(frames=20), 40, 1)
    slow = chosen_alike(flights, {"speed": (0.0, 1.0)})
    speed = np.sqrt((flights.velocity**2).sum(axis=2).mean(axis=1))
    np.testing.assert_array_equal(slow, speed <= 1.0)
    assert chosen_alike(flights, {}).all()


def test_the_search_lowers_the_loss_and_stays_in_the_space():
    flights = known_flights(rate=30.0, families=("circle",))
    first = FilterSettings(gravity=(0.0, 0.0, -9.81))
    said = []
    tuned = tune_bank(flights, first, evaluations=8, tell=said.append)
    before, after = (
        np.nanmean(predictive_loss(design_filter(one, ("imm",)), flights))
        for one in (first, tuned)
    )
    assert after < before
    assert "nats a measurement on the fitted part" in said[0]
    for name, (low, high, value) in space(first).items():
        assert low <= value <= high, name


def test_recordings_become_weights_that_three_lines_switch_to(bags, tmp_path, capsys):
    fitted = own_rig.fit(
        ["points.mcap"], tmp_path / "out", recipe=str(mini(tmp_path)), evaluations=6
    )
    said = capsys.readouterr().out
    assert fitted, said
    recipe = yaml.safe_load((tmp_path / "out" / "recipe.yaml").read_text(encoding="utf-8"))
    assert [arm["name"] for arm in recipe["arms"]] == ["own"]
    assert re.search(r"liquid, yours +-?\d+\.\d+ +change", said)
    weights = tmp_path / "out" / "open" / "own-0.safetensors"
    assert Adviser.load(weights).bank["turning_noise"] == recipe["filter"]["turning_noise"]
    # What docs/filter.md says, with this path in it, and what was written:
    page = (Path(__file__).parents[2] / "docs" / "filter.md").read_text(encoding="utf-8")
    block = next(b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "weights" in b)
    assert len(block.strip().splitlines()) == 3
    told = yaml.safe_load(re.sub(r"weights: [^\s}]+", f"weights: {weights}", block))
    written = yaml.safe_load((tmp_path / "out" / "filter.yaml").read_text(encoding="utf-8"))
    for section in (told, written):
        ((name, content),) = section.items()
        assert name == "/**/liquid_filter"
        track_filter = TrackFilter(FilterNodeSettings.from_flat(content["ros__parameters"]))
        assert track_filter.fallback_reason == ""
        assert track_filter._design.adviser.notes["card"] == Adviser.load(weights).notes["card"]
        assert track_filter._design.bank.noise[1] == recipe["filter"]["turning_noise"]


def test_weights_that_foretell_less_are_not_kept(bags, tmp_path, capsys):
    tracks = recorded_tracks.read_tracks(["points.mcap"])
    good = Adviser.load(WEIGHTS)
    wild = {**good.bank, "steady_noise": 1e5, "turning_noise": 1e8, "falling_noise": 1e5}
    bad = Adviser(good.step, good.heads.T, good.bias, {**good.notes, "filter": json.dumps(wild)})
    path = tmp_path / "bad.safetensors"
    bad.save(path)
    assert not own_rig._judge(tracks, path, tmp_path)
    assert not path.exists()
    assert not (tmp_path / "filter.yaml").exists()
    assert "they were not kept" in capsys.readouterr().out


def test_the_command_tells_recordings_from_simulation(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(own_rig, "fit", lambda data, out, **rest: asked.update(data=data) or False)
    assert command.main(["filter", "--data", "a.mcap", "b.mcap", "--out", str(tmp_path)]) == 1
    assert asked["data"] == ["a.mcap", "b.mcap"]
    monkeypatch.setattr(
        "liquid_mono3d_ros.train.filter_recipe.follow",
        lambda recipe, out, **rest: asked.update(recipe=recipe),
    )
    assert command.main(["filter", "--data", "simulation", "--out", str(tmp_path)]) == 0
    assert asked["recipe"] is None


@pytest.mark.ros
def test_files_of_the_recorder_are_read(road, tmp_path):
    pytest.importorskip("rclpy")
    pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
    write(road, tmp_path / "points.mcap", ("points3d",))
    write(road, tmp_path / "tracks.mcap", ("tracks2d",))
    points = recorded_tracks.read_tracks([tmp_path / "points.mcap"])
    tracks = recorded_tracks.read_tracks([tmp_path / "tracks.mcap"], RIG)
    assert points.fit.seen.sum() == pytest.approx(tracks.fit.seen.sum(), rel=0.05)
