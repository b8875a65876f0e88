import json

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.bench.persistence_runs import judged, watch  # noqa: E402
from liquid_mono3d_ros.liquid.persistence import Judge  # noqa: E402
from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.synth.births import draw_births  # noqa: E402
from liquid_mono3d_ros.train.persistence_training import (  # noqa: E402
    FILE,
    Network,
    Recipe,
    follow,
    histogram,
    scores,
    train,
)

SMALL = Recipe(units=8, tracks=64, steps=120, seeds=1)


@pytest.fixture(scope="module")
def watched():
    return watch(draw_births(240, 3))


def test_what_runs_says_what_was_trained(watched):
    torch.manual_seed(0)
    network = Network(8)
    with torch.no_grad():
        odds = network(torch.as_tensor(watched.heard), torch.as_tensor(watched.dt).float())
    said = judged(network.judge({}), watched)
    np.testing.assert_allclose(said, torch.sigmoid(odds).numpy(), atol=1e-5)


def test_training_learns_and_a_seed_repeats_it(watched):
    before = scores(Network(8).judge({}), watched)
    first, again = (train(watched, SMALL, 1, tell=lambda _: None) for _ in range(2))
    after = scores(first.judge({}), watched)
    assert after["cross_entropy"] < 0.6 * before["cross_entropy"]
    assert after["right_share"] > after["majority_share"]
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_histogram_names_the_score_of_no_thought():
    births = draw_births(32, 0, shares=(3, 0, 0, 1, 0, 0))
    assert histogram(births) == (
        "object 24, visitor 0, clutter 0, glint 8, flicker 0, reflection 0; "
        "always the commoner answer: 75.0 % right"
    )


def test_a_recipe_becomes_weights_with_a_card(tmp_path, capsys):
    recipe = tmp_path / "small.yaml"
    content = {
        "births": {"count": 80, "validation": 40, "seed": 1},
        "training": {"units": 4, "tracks": 16, "steps": 100, "seeds": 2},
    }
    recipe.write_text(yaml.safe_dump(content))
    follow(recipe, tmp_path / "out")
    judge = Judge.load(tmp_path / "out" / FILE)
    card = json.loads(judge.notes["card"])
    assert card["births"].startswith("object 30, visitor 10, clutter 10")
    assert len(card["scores_of_all_seeds"]) == 2
    assert (tmp_path / "out" / "log.png").stat().st_size > 0
    assert "always the commoner answer: 50.0 % right" in capsys.readouterr().out


def test_an_unknown_word_in_the_recipe_is_an_error(tmp_path):
    recipe = tmp_path / "wrong.yaml"
    recipe.write_text("births: {}\ntraining: {stepps: 3}\n")
    with pytest.raises(ValueError, match=r"training must be of \[.*got stepps"):
        follow(recipe, tmp_path / "out")


def test_the_packaged_recipe_is_whole():
    content = yaml.safe_load(share_path("config/recipes/persistence.yaml").read_text("utf-8"))
    assert set(content["births"]) == {"count", "validation", "seed"}
    assert Recipe(**content["training"]).seeds >= 1
