"""What one stream alone can know: little of what is joint."""

import numpy as np
import pytest

from liquid_mono3d_ros.synth.attributes import ATTRIBUTES
from liquid_mono3d_ros.synth.cues import ceilings, draw_cues, vote
from liquid_mono3d_ros.synth.encounters import MIDDLE, SIZES, SPREAD, THEMES, draw_encounters
from liquid_mono3d_ros.synth.staging import Staging


@pytest.fixture(scope="module", params=["train", "test"])
def found(request):
    return ceilings(Staging(split=request.param), n=2500, seed=1)


def test_no_stream_alone_knows_what_is_joint(found):
    for name, best in found.items():
        print(name, {stream: round(share, 3) for stream, share in best.items()})
    for name, attribute in ATTRIBUTES.items():
        best = found[name]
        if attribute.stream == "joint":
            assert max(best["image"], best["3d"]) < 0.6, name
        else:
            assert best[attribute.stream] == 1.0
    for name in ("flash", "nearer_colour", "faster_colour", "rising_colour"):
        assert found[name]["image"] < 0.57, name
    assert found["size"]["image"] < 0.5
    assert found["size"]["3d"] < 0.5


def test_states_know_nothing_of_looks(found):
    for name, attribute in ATTRIBUTES.items():
        if attribute.stream == "image":
            assert found[name]["3d"] < found[name]["chance"] + 0.04, name


def test_the_vote_agrees_with_the_exact_share_of_sizes():
    """Bayes on one number whose densities are known: half a band and a wide even spread."""
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=200_000)
    low, high = np.log(SIZES).T[:, label]
    size = rng.uniform(low, high)
    extent = (size - np.log(MIDDLE)) / 2 + rng.uniform(-SPREAD, SPREAD, len(size))
    edges = np.linspace(-2, 2, 200)
    counts = [np.histogram(extent[label == k], edges)[0] for k in range(3)]
    exact = np.max(counts, axis=0).sum() / len(size)
    assert exact == pytest.approx(0.45, abs=0.01)
    assert ceilings(Staging(), n=3500)["size"]["image"] == pytest.approx(exact, abs=0.05)


def test_the_vote_finds_what_is_there():
    rng = np.random.default_rng(0)
    cues = rng.normal(size=(2000, 3))
    assert vote(cues, (cues[:, 1] > 0).astype(int)) > 0.9
    assert vote(cues, rng.integers(2, size=2000)) == pytest.approx(0.5, abs=0.06)


def test_a_scene_of_another_scale_gives_the_same_picture():
    """Nearer and farther objects have the same extents and speeds in the picture."""
    cues = draw_cues(Staging(), 3000, seed=2)
    for name in ("nearer_colour", "faster_colour", "rising_colour"):
        label = cues.label[name][:, 0]
        mine = label >= 0
        first = label[mine] == cues.label["colour"][mine, 0]
        seen = cues.image[mine, 0] - cues.image[mine, 1]
        apart = (seen[first].mean(axis=0) - seen[~first].mean(axis=0)) / (seen.std(axis=0) + 1e-9)
        assert np.abs(apart).max() < 4.5 * 2 / np.sqrt(mine.sum()), name


def test_what_is_nearer_stays_nearer_and_all_stay_in_front():
    encounters = draw_encounters(Staging(), 500, np.random.default_rng(0))
    t = np.linspace(0, 2, 31) + np.zeros((500, 1))
    xyz, _ = encounters.at(t)
    uv, depth = encounters.picture(xyz)
    assert depth.min() > 1.0
    assert np.abs(uv).max() < 0.8
    far = np.linalg.norm(xyz - encounters.centre[:, None, None], axis=3)
    nearer = far[encounters.theme == THEMES.index("nearer")]
    ratio = nearer[:, 0] / nearer[:, 1]
    assert ((ratio > 1.03).all(axis=1) | (ratio < 0.97).all(axis=1)).mean() > 0.98
    pixels = encounters.size * encounters.focal[:, None] / depth.mean(axis=2)
    assert pixels.min() > 15
