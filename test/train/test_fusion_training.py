import dataclasses
import json

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.reader import SYSTEMS, load_reader  # noqa: E402
from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.synth.sights import Staging, draw_sights  # noqa: E402
from liquid_mono3d_ros.train.fusion_data import encoded, joined, packed, slots  # noqa: E402
from liquid_mono3d_ros.train.fusion_scores import majority, mean_percent, score  # noqa: E402
from liquid_mono3d_ros.train.fusion_training import (  # noqa: E402
    FusionRecipe,
    FusionTraining,
    follow,
    recipe_of,
    schedule,
)
from liquid_mono3d_ros.video.encoder import VideoEncoder  # noqa: E402

STAGING = Staging(duration=1.5, video_rate=8.0, state_rate=20.0, dropout=0.2)
RECIPE = FusionRecipe(embedding=16, parameters=12_000, batch=8, steps=30, learning_rate=0.01)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return VideoEncoder().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sights():
    return draw_sights(STAGING, 8, 0)


@pytest.fixture(scope="module")
def lessons(sights, encoder):
    return encoded(sights, encoder)


def test_features_are_those_of_a_running_encoder(sights, lessons, encoder):
    """Fed the seen frames one by one, with the times at which they arrive."""
    scene, object_ = 3, 1
    seen = np.flatnonzero(sights.seen[scene, object_])
    frames = torch.as_tensor(sights.crops[scene, object_, seen]).movedim(-1, 1).float() / 255
    state, features, at = None, [], []
    for k, frame in zip(seen, frames, strict=True):
        due, state = encoder.step(frame[None, None], state)
        if due.shape[1]:
            features.append(due[0, 0])
            at.append(k)
    m, row = lessons.moments, 2 * scene + object_
    assert int(m.video_seen[row].sum()) == len(features)
    found = m.video[row, : len(features)].float()
    torch.testing.assert_close(found, torch.stack(features), rtol=0, atol=5e-3)
    arrival = torch.as_tensor(sights.video_arrival[scene, at]).float()
    torch.testing.assert_close(m.video_arrival[row, : len(at)], arrival)
    side = torch.as_tensor(sights.side[scene, object_, at]).float()
    torch.testing.assert_close(m.side[row, : len(at)], side)


def test_unseen_frames_are_packed_away(sights):
    frames, times = packed(sights, 2)
    count = sights.seen.reshape(16, -1).sum(axis=1)
    assert frames.shape == sights.crops.reshape(16, *sights.crops.shape[2:]).shape
    assert times["video_seen"].sum(axis=1).tolist() == [-(-n // 2) for n in count.tolist()]
    assert (times["side"][times["video_seen"]] > 0).all()


def test_scenes_keep_their_two_objects(sights, lessons):
    some = lessons.take(torch.tensor([5, 2]))
    xyz = torch.as_tensor(sights.xyz[[5, 2]]).flatten(0, 1)
    assert torch.equal(some.moments.states.xyz, xyz)
    assert torch.equal(some.label["shape"], torch.as_tensor(sights.label["shape"][[5, 2]]))
    both = joined([some, lessons])
    assert len(both) == 10
    assert torch.equal(both.take(torch.arange(2)).moments.video, some.moments.video)


def test_on_time_means_no_age(lessons):
    m = lessons.on_time().moments
    assert torch.equal(m.video_arrival, m.video_stamp)
    assert torch.equal(m.states.arrival, m.states.stamp)
    assert (lessons.moments.video_arrival > lessons.moments.video_stamp).all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_loss_falls(lessons, system):
    training = FusionTraining(dataclasses.replace(RECIPE, missing=0.0), system, 0, lessons)
    first = training.loss(lessons).item()
    training.train()
    assert training.loss(lessons).item() < 0.9 * first
    assert [row[0] for row in training.rows] == [1]


def test_a_seed_gives_the_same_reader(lessons):
    few = dataclasses.replace(RECIPE, steps=3)
    a, b = (FusionTraining(few, "liquid", 5, lessons).train() for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_scores_count_what_applies(lessons):
    reader = FusionTraining(RECIPE, "static", 0, lessons).reader.eval()
    counts = score(reader, lessons)
    for name, slot in slots().items():
        true = lessons.label[name][:, : 1 if slot.pair else 2]
        assert counts[name]["n"] == int((true >= 0).sum())
        assert counts[name]["right"] <= counts[name]["n"]
    zeroed = score(reader, lessons, "zeroed")
    most = majority(lessons)
    assert all(zeroed[name]["right"] <= most[name]["right"] for name in zeroed)
    assert mean_percent({"a": {"right": 1, "n": 2}, "b": {"right": 0, "n": 0}}) == 50.0
    with pytest.raises(ValueError, match=r"control must be one of .*; got 'blind'"):
        score(reader, lessons, "blind")


def test_shuffled_streams_are_those_of_another_scene(lessons):
    """The score of a shuffled set is that against the labels half a set away."""
    reader = FusionTraining(RECIPE, "gru", 1, lessons).reader.eval()
    away = torch.arange(8).roll(4)
    swapped = dataclasses.replace(lessons, moments=lessons.take(away).moments)
    assert score(reader, lessons, "shuffled") == score(reader, swapped)


def test_the_rate_rises_and_falls():
    assert schedule(0.0) < 0.01 < schedule(0.05) > schedule(0.5) > schedule(1.0) > 0


def test_a_recipe_ends_in_files(tmp_path):
    """Without video weights an encoder is trained end to end first."""
    staging = {"duration": 1.5, "video_rate": 8, "state_rate": 20}
    content = {
        "staging": staging,
        "shifted": {"video_rate": 6},
        "training": {"systems": ["static", "vision"], "seeds": 1, "embedding": 16}
        | {"parameters": 12_000, "scenes": 6, "batch": 4, "steps": 2},
        "scores": {"validation": 4, "test": 4},
        "encoder_steps": 1,
    }
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content))
    scores = follow(path, out, video=tmp_path / "none.safetensors")
    assert scores == json.loads((out / "scores.json").read_text())
    assert [(r["trained"], r["system"]) for r in scores["rows"]] == [
        ("equal", "static"), ("equal", "vision"), ("late", "static"), ("late", "vision"),
    ]  # fmt: skip
    assert set(scores["rows"][2]["tested"]) == {"late", "shifted"}
    assert load_reader(out / "fusion-vision-late.safetensors").system == "vision"
    assert (out / "log.csv").read_text().startswith("trained,system,seed,step,seconds,loss\n")
    assert sorted(p.name for p in out.iterdir()) == [
        *(f"fusion-{s}-{c}.safetensors" for s in ("static", "vision") for c in ("equal", "late")),
        "log.csv", "scores.json", "video.safetensors",
    ]  # fmt: skip
    del content["encoder_steps"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(FileNotFoundError, match="video must be an existing file; got"):
        follow(path, out, video=tmp_path / "none.safetensors")


def test_the_packaged_recipe_is_one():
    content = yaml.safe_load(share_path("config/recipes/fusion.yaml").read_text())
    assert recipe_of(content["training"]).systems == tuple(SYSTEMS)
    Staging(**{**content["staging"], **content["shifted"]})
    with pytest.raises(ValueError, match=r"training must be of .*; got scene"):
        recipe_of({"scene": 3})
