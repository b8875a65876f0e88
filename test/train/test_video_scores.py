import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.train.video_scores import (  # noqa: E402
    effective_rank,
    features_of,
    peak_errors,
    picture_scores,
    probe,
    to_clips,
)
from liquid_mono3d_ros.video.decoder import Decoder  # noqa: E402
from liquid_mono3d_ros.video.encoder import VideoDesign, VideoEncoder  # noqa: E402

DESIGN = VideoDesign(widths=(8, 8, 8), bits=4)


def discs(n=2, frames=3, shift=(0, 0)):
    """Return clips of a bright disc on a textured ground, and where the disc is."""
    rng = np.random.default_rng(0)
    clips = rng.integers(60, 100, (n, frames, 64, 64, 3)).astype(np.uint8)
    uv = rng.uniform(10, 53, (n, frames, 2))
    v, u = np.mgrid[:64, :64]
    for k, t in np.ndindex(n, frames):
        away = np.hypot(u - uv[k, t, 0] - shift[0], v - uv[k, t, 1] - shift[1])
        clips[k, t][away < 4] = (250, 200, 30)
    return clips, uv


def test_bytes_become_colours_first():
    clips = to_clips(np.full((1, 2, 4, 5, 3), 255, np.uint8))
    assert clips.shape == (1, 2, 3, 4, 5)
    assert (clips == 1).all()


def test_an_object_that_came_back_elsewhere_is_that_far_off():
    clips, uv = discs()
    np.testing.assert_array_equal(peak_errors(clips, clips, uv), np.zeros(6))
    moved, _ = discs(shift=(3, -4))
    np.testing.assert_allclose(peak_errors(moved, clips, uv), 5, atol=0.8)


def test_one_colour_is_wrong_by_the_whole_frame():
    clips, uv = discs()
    np.testing.assert_array_equal(peak_errors(np.full_like(clips, 90), clips, uv), np.full(6, 64))


def test_frames_without_the_object_do_not_count():
    clips, uv = discs()
    uv[0, 0], uv[1, 2, 0] = np.nan, 70.0
    assert len(peak_errors(clips, clips, uv)) == 4


def test_a_decoder_of_the_mean_colour_is_at_a_hundred_percent():
    torch.manual_seed(0)
    encoder, decoder = VideoEncoder(DESIGN), Decoder(DESIGN)
    frames = np.zeros((3, 5, 64, 64, 3), np.uint8)
    frames[:, :, :32] = 255
    with torch.no_grad():
        decoder.frames.weight.zero_()
        decoder.frames.bias.zero_()
    scores = picture_scores(encoder, decoder, frames, np.full((3, 5, 2), 30.0))
    assert scores["mse_of_blank_percent"] == pytest.approx(100, abs=0.01)
    assert scores["peak_median_px"] == scores["peak_p95_px"] == 64
    assert 0 < scores["codes_used_percent"] <= 100
    assert features_of(encoder, frames).shape == (3, 3, 512)


def test_the_effective_rank_of_known_spectra():
    eye = torch.eye(8)
    assert effective_rank(torch.cat([eye, -eye])) == pytest.approx(8)
    line = torch.outer(torch.arange(5.0), torch.ones(8))
    assert effective_rank(line) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("hidden", [0, 32])
def test_a_probe_reads_what_is_there_and_no_more(hidden):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(400, 16, generator=draw)
    label = (x[:, 3] > 0).long().numpy()
    said = probe(x[:200], label[:200], x[200:], hidden=hidden, steps=100)
    assert (said == label[200:]).mean() > 0.75
    noise = np.random.default_rng(0).integers(2, size=200)
    assert (probe(x[:200], noise, x[200:], hidden=hidden, steps=50) == label[200:]).mean() < 0.7
