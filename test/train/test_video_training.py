import dataclasses

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.resources import share_path  # noqa: E402
from liquid_mono3d_ros.synth.sights import Staging, draw_sights  # noqa: E402
from liquid_mono3d_ros.train import video_data, video_training  # noqa: E402
from liquid_mono3d_ros.train.video_data import (  # noqa: E402
    Arrivals,
    Clips,
    attributes,
    crops_of,
    held,
)
from liquid_mono3d_ros.train.video_training import (  # noqa: E402
    COLUMNS,
    Pool,
    VideoRecipe,
    VideoTraining,
    follow,
    recipe_of,
)
from liquid_mono3d_ros.video.encoder import VideoDesign, load_encoder  # noqa: E402

DESIGN = VideoDesign(widths=(8, 8, 8), bits=4)
RECIPE = VideoRecipe(batch=4, frames=3, steps=30, learning_rate=0.01, labels=0.1, chunks=1)


@pytest.fixture(scope="module")
def sights():
    return draw_sights(Staging(dropout=0.3), 3, 0)


@pytest.fixture(scope="module")
def pools(sights):
    crops, views = Pool("cpu"), Pool("cpu")
    clips = crops_of(sights)
    crops.add(clips)
    views.add(Clips.unlabelled(clips.frames[::2]))
    return crops, views


def test_an_unseen_frame_is_the_last_seen_one():
    frames = np.arange(10).reshape(2, 5)
    seen = np.array([[0, 1, 0, 0, 1], [1, 1, 1, 1, 0]], dtype=bool)
    assert held(frames, seen).tolist() == [[1, 1, 1, 1, 4], [5, 6, 7, 8, 8]]


def test_crops_bring_what_is_known_of_them(sights):
    clips = crops_of(sights)
    assert clips.frames.shape == (6, 30, 64, 64, 3)
    assert set(attributes()) >= {"shape", "colour", "marking", "companion", "passes_behind"}
    assert "nearer_colour" not in attributes()
    shape = list(attributes()).index("shape")
    np.testing.assert_array_equal(clips.label[:, shape], sights.label["shape"].ravel())
    assert (clips.frames.reshape(6, 30, -1).max(axis=2) > 0).all()  # no black frame is left
    np.testing.assert_array_equal(np.isnan(clips.extent), ~sights.seen.reshape(6, 30))
    size = np.exp(np.nanmedian(clips.extent, axis=1))
    assert ((size > 0.3) & (size < 1.2)).all()  # the object fills most of its window
    flashes = np.isfinite(sights.amount["flash_time"]).ravel()
    assert (clips.flash.sum(axis=1) > 0)[~flashes].sum() == 0


def test_a_pool_grows_and_hands_out_stretches():
    pool, draw = Pool("cpu"), torch.Generator().manual_seed(0)
    for k in range(4):
        pool.add(Clips.unlabelled(np.full((3, 6, 64, 64, 3), 50 * k, np.uint8)))
    assert pool.length == 12
    drawn = pool.draw(200, 4, draw)
    assert drawn["frames"].shape == (200, 4, 3, 64, 64)
    brightness = (255 * drawn["frames"][:, 0, 0, 0, 0]).round().int()
    assert sorted(set(brightness.tolist())) == [0, 50, 100, 150]
    assert drawn["extent"].isnan().all()


def test_chunks_come_in_order_each_once():
    arrivals = Arrivals(lambda number: number, [], 4)
    assert list(arrivals.take(2)) == [0, 1]
    assert list(arrivals.take(2)) == []
    assert list(arrivals.take(9)) == [2, 3]


def test_the_losses_fall(pools):
    training = VideoTraining(RECIPE, DESIGN, "cpu")
    losses = torch.stack([training.improve(pools) for _ in range(30)])
    assert losses.shape == (30, len(COLUMNS))
    assert losses.isfinite().all()
    early, late = losses[:6].mean(dim=0), losses[-6:].mean(dim=0)
    for name in ("picture", "thumbnail", "labels"):
        column = COLUMNS.index(name)
        assert late[column] < early[column], name


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(pools, tmp_path):
    whole, first = (VideoTraining(RECIPE, DESIGN, "cpu") for _ in range(2))
    for _ in range(4):
        whole.improve(pools)
    for _ in range(2):
        first.improve(pools)
    first.save(tmp_path / "checkpoint.pt")
    again = VideoTraining(dataclasses.replace(RECIPE, seed=9), DESIGN, "cpu")
    again.restore(tmp_path / "checkpoint.pt")
    for _ in range(2):
        again.improve(pools)
    for a, b in zip(whole.averaged, again.averaged, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_a_recipe_ends_in_files(tmp_path, monkeypatch, sights):
    def views(staging, n, seed):
        frames = sights.crops[:, 0][np.arange(n) % 3]
        return frames, np.full((n, frames.shape[1], 2), 32.0)

    monkeypatch.setattr(video_data, "draw_sights", lambda *_: sights)
    monkeypatch.setattr(video_training, "draw_sights", lambda *_: sights)
    monkeypatch.setattr(video_data, "draw_views", views)
    monkeypatch.setattr(video_training, "draw_views", views)
    content = {
        "design": {"widths": [8, 8, 8], "bits": 4},
        "training": {"batch": 2, "frames": 2, "steps": 2, "chunks": 1},
        "scores": {"views": 2, "scenes": 3},
    }
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content))
    scores = follow(path, out, workers=0)
    assert {"views_peak_median_px", "crops_mse_of_blank_percent", "effective_rank"} < set(scores)
    assert load_encoder(out / "video.safetensors").design.widths == (8, 8, 8)
    names = ["checkpoint.pt", "log.csv", "scores.json", "video.safetensors"]
    assert sorted(p.name for p in out.iterdir()) == names
    content["training"]["steps"] = 3
    path.write_text(yaml.safe_dump(content))
    follow(path, out, workers=0, resume=True)
    assert (out / "log.csv").read_text().count("step,seconds") == 1


def test_the_packaged_recipe_is_one():
    content = yaml.safe_load(share_path("config/recipes/video.yaml").read_text())
    assert recipe_of(content["training"]).learning_rate == 1e-3
    assert VideoDesign.of(content["design"]) == VideoDesign()
    with pytest.raises(ValueError, match=r"training must be of .*; got step"):
        recipe_of({"step": 3})
