import numpy as np
import pytest

from liquid_mono3d_ros.synth.staging import Staging
from liquid_mono3d_ros.synth.views import EXTENT, draw_views


@pytest.fixture(scope="module")
def drawn():
    return draw_views(Staging(), 4, 0)


def test_shapes_and_seeds(drawn):
    clips, uv = drawn
    assert (clips.shape, clips.dtype) == ((4, 30, 64, 64, 3), np.uint8)
    assert uv.shape == (4, 30, 2)
    fewer, _ = draw_views(Staging(), 2, 0)
    np.testing.assert_array_equal(fewer, clips[:2])
    other, _ = draw_views(Staging(split="test"), 2, 0)
    assert (other != fewer).any()


def test_what_changes_is_at_the_object(drawn):
    """Far from all its places nothing but noise changes."""
    clips, uv = drawn
    v, u = np.mgrid[:64, :64]
    for clip, way in zip(clips.astype(float), uv, strict=True):
        away = np.hypot(u[None] - way[:, :1, None], v[None] - way[:, 1:, None])  # (T, 64, 64)
        far = away.min(axis=0) > EXTENT[1]
        if not far.any() or np.ptp(way, axis=0).max() < EXTENT[1]:
            continue
        moving = np.ptp(clip, axis=0).max(axis=2)
        near = away.min(axis=0) < 3
        assert np.median(moving[near]) > 1.5 * np.median(moving[far])


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        draw_views(Staging(), 0, 0)
