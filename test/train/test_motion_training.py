import dataclasses

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.trajectory_model import KINDS  # noqa: E402
from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.train.motion_tracks import draw_tracks  # noqa: E402
from liquid_mono3d_ros.train.motion_training import (  # noqa: E402
    Batch,
    MotionRecipe,
    MotionTraining,
    follow,
    load_motion,
    named,
    recipe_of,
    time_steps,
    young_tracks,
)

RECIPE = MotionRecipe(parameters=3000, batch=32, steps=40, learning_rate=0.01)


@pytest.fixture(scope="module")
def tracks():
    """Every third point of tracks."""
    whole = Batch.of(draw_tracks(80, 1))
    fields = {name: one[:, ::3] for name, one in vars(whole).items() if one.ndim > 1}
    return dataclasses.replace(whole, **fields)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls(tracks, kind):
    losses = []
    training = MotionTraining(dataclasses.replace(RECIPE, steps=50), kind, 0, tracks)
    first = [float(training._improve()) for _ in range(3)]
    training.train(lambda step, seconds, loss: losses.append(loss))
    assert losses[-1] < 0.85 * np.mean(first)


def test_a_seed_gives_the_same_model(tracks):
    models = [
        MotionTraining(dataclasses.replace(RECIPE, steps=4), "liquid", 5, tracks).train(
            lambda *_: None
        )
        for _ in range(2)
    ]
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_time_steps_are_those_between_seen_points():
    t = torch.tensor([[0.0, 0.1, 0.3, 0.6, 1.0]])
    seen = torch.tensor([[False, True, False, True, True]])
    torch.testing.assert_close(time_steps(t, seen), torch.tensor([[0, 0, 0, 0.5, 0.4]]))


def test_young_tracks_overlap_in_length(tracks):
    young, real = young_tracks(tracks, torch.Generator().manual_seed(0))
    length = young.seen.sum(dim=1)
    assert length.min() >= 3
    assert length[real == 0].max() <= 6 < length[real == 1].max() <= 15
    assert 0.3 < float(real.mean()) < 0.7
    assert torch.equal(young.x[real == 1], tracks.x[real == 1])


def test_a_recipe_ends_in_files(tmp_path):
    content = {
        "training": {"kinds": ["liquid", "gru"], "seeds": 1, "parameters": 3000, "tracks": 40}
        | {"batch": 8, "steps": 3},
        "validation": 40,
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    scores = follow(path, tmp_path / "out")
    assert set(scores) == {"liquid-0_percent", "gru-0_percent"}
    model = load_motion(tmp_path / "out" / "motion-liquid-0.safetensors")
    said = named(model, Batch.of(draw_tracks(40, 1)))
    unseen = draw_tracks(40, 1)
    right = 100 * float(np.mean((said == unseen.label)[unseen.observable]))
    assert scores["liquid-0_percent"] == pytest.approx(right)
    assert (tmp_path / "out" / "log.csv").read_text().startswith("model,step,seconds,loss\n")


def test_the_packaged_recipe_is_one():
    content = yaml.safe_load(share_path("config/recipes/motion.yaml").read_text())
    assert recipe_of(content["training"]).seeds == 3
    with pytest.raises(ValueError, match=r"training must be of .*; got tracks_n"):
        recipe_of({"tracks_n": 3})
