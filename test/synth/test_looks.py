"""How things are drawn: the box is filled, the stripes lie as they are said to, colours differ."""

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.synth.attributes import COLOURS, MARKINGS, SHAPES, STRIPE_DIRECTIONS
from liquid_mono3d_ros.synth.backdrops import FAMILIES, SIDE, draw_backdrop, draw_wall
from liquid_mono3d_ros.synth.contact_sheet import draw_sheet
from liquid_mono3d_ros.synth.crops import Sight, render_crops
from liquid_mono3d_ros.synth.looks import BOX, CANVAS, draw_look, paint
from liquid_mono3d_ros.synth.sights import Staging, draw_sights
from liquid_mono3d_ros.synth.windows import CROP, Windows, draw_windows
from liquid_mono3d_ros.tracking.crops import MARGIN


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_a_thing_fills_its_box(shape):
    for seed in range(5):
        look = draw_look(shape, 0, 0, -1, np.random.default_rng(seed))
        cover = paint(look)[..., 3]
        spans = [np.flatnonzero(cover.max(axis=axis) > 0.5) for axis in (0, 1)]
        sides = [span[-1] - span[0] + 1 for span in spans]
        assert max(sides) == pytest.approx(BOX, abs=2.5)
        middles = [(span[-1] + span[0]) / 2 for span in spans]
        assert middles == pytest.approx([(CANVAS - 1) / 2] * 2, abs=1.0)


def test_areas_tell_shapes_apart():
    areas = []
    for shape in range(len(SHAPES)):
        look = draw_look(shape, 0, 0, -1, np.random.default_rng(0))
        areas.append(paint(look)[..., 3].sum() / BOX**2)
    ball, box, triangle, cross, ring, star = areas
    assert ball == pytest.approx(np.pi / 4, rel=0.04)
    assert ring == pytest.approx(np.pi / 4 * (1 - 0.52**2), rel=0.05)
    assert box > 0.65
    assert triangle < 0.6
    assert star < ring
    assert 0.3 < cross < 0.6


@pytest.mark.parametrize("direction", range(len(STRIPE_DIRECTIONS)))
def test_convention_stripes_lie_as_the_word_says(direction):
    """The structure tensor's weak direction; rising runs up to the right, v points down."""
    look = draw_look(1, 0, MARKINGS.index("striped"), direction, np.random.default_rng(1))
    grey = paint(look)[35:85, 35:85, 0]
    dv, du = np.gradient(grey)
    angle = 0.5 * np.arctan2(2 * (du * dv).sum(), (du * du - dv * dv).sum()) + np.pi / 2
    wanted = {"level": 0, "upright": 90, "rising": -45, "falling": 45}
    off = np.rad2deg(angle) - wanted[STRIPE_DIRECTIONS[direction]]
    assert abs((off + 90) % 180 - 90) < 13


def test_colours_are_apart():
    """In CIELAB, plain and lit evenly: any two at least 25 apart."""
    means = []
    for colour in range(len(COLOURS)):
        painted = paint(draw_look(1, colour, 0, -1, np.random.default_rng(0)))
        means.append(painted[..., :3].sum(axis=(0, 1)) / painted[..., 3].sum() / 255)
    lab = cv2.cvtColor(np.array([means], np.float32), cv2.COLOR_RGB2LAB)[0]
    far = np.linalg.norm(lab[:, None] - lab, axis=2) + 1e3 * np.eye(len(lab))
    assert far.min() > 25


def test_backdrops_are_greyish_and_families_are_apart():
    assert not set(FAMILIES["train"]) & set(FAMILIES["test"])
    for split in FAMILIES:
        for seed in range(6):
            wall = draw_backdrop(split, np.random.default_rng(seed)).astype(float)
            assert wall.shape == (SIDE, SIDE, 3)
            assert 60 < wall.mean() < 195
            assert np.ptp(wall.mean(axis=(0, 1))) < 45
            assert wall.std(axis=(0, 1)).min() > 3
    assert np.ptp(draw_wall(np.random.default_rng(0)).reshape(-1, 3), axis=0).max() == 0


def test_windows_are_the_trackers():
    rng = np.random.default_rng(0)
    uv, extent = np.full((500, 2), 300.25), np.full(500, 40.0)
    windows = draw_windows(uv, extent, rng)
    assert (windows.side == np.rint(windows.side)).all()
    assert windows.side.mean() == pytest.approx(MARGIN * 41.1, rel=0.02)
    assert 0.01 < windows.side.std() / windows.side.mean() < 0.05
    at = windows.place(uv)
    assert np.abs(at.mean(axis=0) - (CROP - 1) / 2).max() < 1.0
    assert 0.5 < at.std() < 3.0


def test_convention_a_crop_is_where_its_window_is():
    """A white ball moved by half a pixel of the image moves by that much in the crop."""
    rng = np.random.default_rng(0)
    frames = 5
    uv = np.array([100.0, 80.0]) + np.arange(frames)[:, None] * (0.5, 0.0)
    sight = Sight(
        look=draw_look(0, COLOURS.index("white"), 0, -1, rng),
        uv=uv,
        extent=np.full(frames, 30.0),
        turn=np.zeros(frames),
        dim=np.zeros(frames, bool),
        flash=np.zeros(frames),
        backdrop=np.full((SIDE, SIDE, 3), 60, np.uint8),
        corner=np.zeros(2),
        grain=1.0,
        bar=None,
        companion=None,
        gain=np.full((frames, 3), 0.5),
        noise=0.0,
        exposure=0.0,
        velocity=np.zeros((frames, 2)),
    )
    windows = Windows(np.full((frames, 2), (75.0, 55.0)), np.full(frames, 51.0))
    crops = render_crops(sight, windows, np.zeros((SIDE, SIDE, 3), np.float32), rng)
    light = (crops.astype(float).mean(axis=3) - 30).clip(0)
    inside = light > 15
    u = (inside * np.arange(CROP)).sum(axis=(1, 2)) / inside.sum(axis=(1, 2))
    np.testing.assert_allclose(u, windows.place(uv)[:, 0], atol=0.25)


def test_a_sheet_of_crops():
    sights = draw_sights(Staging(video_rate=5.0, state_rate=20.0), 4, seed=0)
    sheet = draw_sheet(sights, 4)
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3
    assert (sheet == 255).mean() > 0.2
    with pytest.raises(ValueError, match="rows must be between 1 and the number of scenes, 4"):
        draw_sheet(sights, 5)
