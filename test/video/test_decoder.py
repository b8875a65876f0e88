import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.video.decoder import Decoder, Readers  # noqa: E402
from liquid_mono3d_ros.video.encoder import VideoDesign  # noqa: E402


@pytest.mark.parametrize(("time_stride", "frames"), [(1, 4), (2, 7)])
def test_the_frames_up_to_the_last_that_a_step_has_seen(time_stride, frames):
    decoder = Decoder(VideoDesign((8, 12, 16), 6, time_stride))
    assert decoder(torch.ones(2, 4, 6, 8, 8)).shape == (2, frames, 3, 64, 64)


def test_later_codes_never_move_earlier_frames():
    torch.manual_seed(0)
    decoder = Decoder(VideoDesign((8, 12, 16), 6, 2)).requires_grad_(False)
    code = torch.randn(1, 4, 6, 8, 8).sign()
    before = decoder(code)
    code[:, 2] *= -1
    same = (decoder(code) == before).flatten(2).all(dim=2)[0]
    assert same.tolist() == [True, True, True, False, False, False, False]


def test_what_is_read_from_features():
    logits, picture, instant = Readers({"shape": 6, "colour": 8})(torch.randn(3, 5, 512))
    assert {name: tuple(one.shape) for name, one in logits.items()} == {
        "shape": (3, 6),
        "colour": (3, 8),
    }
    assert picture.shape == (3, 5, 16, 16)
    assert ((picture >= 0) & (picture <= 1)).all()
    assert instant.shape == (3, 5, 2)
