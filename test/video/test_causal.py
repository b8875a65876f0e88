import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from liquid_mono3d_ros.video.causal import CausalBlock, CausalConv, PixelNorm  # noqa: E402


def clip(frames=6, channels=3, side=8, seed=0):
    return torch.randn(
        2, frames, channels, side, side, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize(("frames", "time_stride"), [(1, 1), (2, 2), (3, 1), (3, 2)])
def test_it_is_the_3d_convolution_over_a_clip_that_began_at_rest(frames, time_stride):
    conv = CausalConv(3, 5, frames=frames, stride=2, time_stride=time_stride)
    x = clip()
    padded = torch.cat([x[:, :1].expand(-1, frames - 1, -1, -1, -1), x], dim=1).transpose(1, 2)
    weight = conv.weight.unflatten(1, (frames, 3)).transpose(1, 2)  # (O, C, frames, 3, 3)
    want = functional.conv3d(
        padded, weight, conv.bias, stride=(time_stride, 2, 2), padding=(0, 1, 1)
    )
    torch.testing.assert_close(conv(x)[0], want.transpose(1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("time_stride", [1, 2])
@pytest.mark.parametrize("parts", [(1, 1, 1, 1, 1, 1), (2, 1, 3), (5, 1)])
def test_frames_that_come_in_parts_give_the_same(parts, time_stride):
    conv = CausalConv(3, 4, time_stride=time_stride)
    x, past, found = clip(), None, []
    for part in x.split(parts, dim=1):
        y, past = conv(part, past)
        found.append(y)
    torch.testing.assert_close(torch.cat(found, dim=1), conv(x)[0], rtol=0, atol=1e-6)


def test_a_frame_between_two_steps_gives_nothing_yet():
    conv = CausalConv(3, 4, stride=2, time_stride=2)
    _, past = conv(clip(1))
    y, _ = conv(clip(1), past)
    assert y.shape == (2, 0, 4, 4, 4)


def test_long_time_steps_are_refused():
    with pytest.raises(ValueError, match="time_stride must be 1 or 2; got 3"):
        CausalConv(3, 4, time_stride=3)


def test_the_norm_looks_at_one_pixel_of_one_frame():
    x, norm = clip(channels=4), PixelNorm()
    y = norm(x)
    torch.testing.assert_close(y.square().mean(dim=2), torch.ones(2, 6, 8, 8), rtol=0, atol=1e-3)
    x[:, 3, :, 2, 2] += 5
    moved = (norm(x) != y).any(dim=2)
    assert moved.nonzero().tolist() == [[0, 3, 2, 2], [1, 3, 2, 2]]


def test_a_block_is_causal_and_keeps_the_shape():
    block, x = CausalBlock(4), clip(channels=4)
    y, _ = block(x)
    assert y.shape == x.shape
    x[:, 4] += 1
    changed = (block(x)[0] != y).flatten(2).any(dim=2).any(dim=0)
    assert changed.tolist() == [False, False, False, False, True, True]
