from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.bench.video import clip_ms, measure  # noqa: E402
from liquid_mono3d_ros.synth import sights  # noqa: E402
from liquid_mono3d_ros.synth import views as synth_views  # noqa: E402
from liquid_mono3d_ros.train import video_scores  # noqa: E402
from liquid_mono3d_ros.train.video_data import attributes  # noqa: E402
from liquid_mono3d_ros.video.decoder import Decoder, Readers  # noqa: E402
from liquid_mono3d_ros.video.encoder import VideoDesign, VideoEncoder, save_video  # noqa: E402

DESIGN = VideoDesign(widths=(8, 8, 8), bits=4)


def test_a_run_in_miniature(tmp_path, monkeypatch):
    drawn = sights.draw_sights(sights.Staging(), 12, 0)

    def views(staging, n, seed):
        frames = drawn.crops[:n, 0]
        return frames, np.full((n, frames.shape[1], 2), 32.0)

    monkeypatch.setattr(sights, "draw_sights", lambda staging, n, seed: drawn)
    monkeypatch.setattr(synth_views, "draw_views", views)
    monkeypatch.setattr(video_scores, "probe", partial(video_scores.probe, steps=40))
    torch.manual_seed(0)
    networks = {
        "encoder": VideoEncoder(DESIGN),
        "decoder": Decoder(DESIGN),
        "readers": Readers(attributes()),
    }
    path = tmp_path / "video.safetensors"
    save_video(path, networks, DESIGN, {})
    report = measure(weights=path, scenes=12, given=12, views=3)
    assert {row["clips"] for row in report.rows if "clips" in row} == {"whole views", "crops"}
    read = {row["attribute"]: row for row in report.rows if "attribute" in row}
    assert list(read) == list(attributes())
    # the probe has seen these very clips
    assert read["shape"]["linear_probe_percent"] > 90 > read["shape"]["full_model_percent"]
    names = {target.name for target in report.targets}
    assert {"mse_of_blank_percent", "peak_p95_px", "effective_rank", "clip_ms"} < names


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights must be an existing file; got .*train"):
        measure(weights=tmp_path / "none.safetensors")


def test_the_time_of_a_clip_is_measured():
    small, large = (VideoEncoder(VideoDesign(widths=w)) for w in ((4, 4, 4), (24, 48, 64)))
    assert 0 < clip_ms(small, runs=3) < clip_ms(large, runs=3)
