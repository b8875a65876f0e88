import time

import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid.rnn.weights import write_weights  # noqa: E402
from liquid_mono3d_ros.video.decoder import Decoder, Readers  # noqa: E402
from liquid_mono3d_ros.video.encoder import (  # noqa: E402
    VideoDesign,
    VideoEncoder,
    load_encoder,
    read_video,
    save_video,
)

SMALL = VideoDesign(widths=(8, 12, 16), bits=6)


@pytest.fixture(scope="module", params=[1, 2], ids=["each frame", "every second frame"])
def encoder(request):
    torch.manual_seed(0)
    design = VideoDesign(SMALL.widths, SMALL.bits, request.param)
    return VideoEncoder(design).eval().requires_grad_(False)


def clips(frames=7, seed=0):
    return torch.rand(2, frames, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_features_codes_and_last_frames(encoder):
    features, tokens, last = encoder(clips())
    stride = encoder.design.time_stride
    assert last.tolist() == list(range(0, 7, stride))
    assert features.shape == (2, len(last), 512)
    assert tokens.shape == (2, len(last), 8, 8)
    assert tokens.dtype == torch.int64
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < 2**SMALL.bits
    torch.testing.assert_close(features.square().mean(dim=2), torch.ones(2, len(last)))


@pytest.mark.parametrize("parts", [(1,) * 7, (2, 3, 2), (6, 1)])
def test_streaming_equals_the_whole_pass(encoder, parts):
    state, found = None, []
    for frames in clips().split(parts, dim=1):
        features, state = encoder.step(frames, state)
        found.append(features)
    torch.testing.assert_close(torch.cat(found, dim=1), encoder(clips())[0], rtol=0, atol=1e-5)
    assert state.frames == 7


@pytest.mark.parametrize("changed", range(7))
def test_later_frames_never_move_earlier_latents(encoder, changed):
    given = clips()
    before, z, _ = encoder.encode(given)
    given[:, changed:] = 1 - given[:, changed:]
    after, moved, _ = encoder.encode(given)
    early = encoder(given)[2] < changed
    torch.testing.assert_close(after[:, early], before[:, early], rtol=0, atol=1e-6)
    torch.testing.assert_close(moved[:, early], z[:, early], rtol=0, atol=1e-6)
    late = encoder(given)[2] >= changed
    assert (after[:, late] != before[:, late]).flatten(2).any(dim=2).all()


def test_clips_of_a_batch_do_not_mix(encoder):
    given = clips()
    alone, _, _ = encoder(given[:1])
    torch.testing.assert_close(encoder(given)[0][:1], alone, rtol=0, atol=1e-5)


def test_a_clip_at_rest_looks_alike_from_the_start(encoder):
    features, _, _ = encoder(clips(1).expand(-1, 6, -1, -1, -1))
    torch.testing.assert_close(features, features[:, :1].expand_as(features), rtol=0, atol=1e-4)


def test_wrong_clips_are_refused(encoder):
    for shape in ((2, 3, 64, 64), (2, 0, 3, 64, 64), (2, 4, 3, 32, 64), (2, 4, 64, 64, 3)):
        with pytest.raises(ValueError, match=r"clips must be of shape \(B, T, 3, 64, 64\); got"):
            encoder(torch.zeros(shape))


def test_what_is_saved_is_loaded(encoder, tmp_path):
    path = tmp_path / "video.safetensors"
    networks = {
        "encoder": encoder,
        "decoder": Decoder(encoder.design),
        "readers": Readers({"shape": 6}),
    }
    save_video(path, networks, encoder.design, {"seed": 0})
    again = load_encoder(path)
    assert again.design == encoder.design
    assert torch.equal(again(clips())[0], encoder(clips())[0])
    found, design = read_video(path)
    decoder = Decoder(design)
    decoder.load_state_dict(found["decoder"])
    z = encoder.encode(clips())[1]
    torch.testing.assert_close(decoder(z), networks["decoder"](z), rtol=0, atol=1e-2)


def test_a_file_of_something_else_is_refused(tmp_path):
    write_weights(tmp_path / "other.safetensors", {}, {"version": "9"})
    with pytest.raises(ValueError, match="path must be a file of a video encoder, version 1; got"):
        load_encoder(tmp_path / "other.safetensors")


def test_the_packaged_size_and_speed(tmp_path):
    design, threads = VideoDesign(), torch.get_num_threads()
    encoder = VideoEncoder(design).eval()
    networks = {"encoder": encoder, "decoder": Decoder(design), "readers": Readers({"a": 34})}
    save_video(tmp_path / "video.safetensors", networks, design, {})
    assert (tmp_path / "video.safetensors").stat().st_size <= 4e6
    torch.set_num_threads(1)
    try:
        spent = []
        with torch.inference_mode():
            for _ in range(8):
                begun = time.process_time()
                encoder(clips(16)[:1])
                spent.append(time.process_time() - begun)
    finally:
        torch.set_num_threads(threads)
    assert min(spent) < 0.1  # measured 26 ms; bench video holds it to 50
