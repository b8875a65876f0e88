from __future__ import annotations

import numpy as np
import pytest

from liquid_mono3d_ros.records import Frame, State, Tracks2D
from liquid_mono3d_ros.tracking.crops import crop_tracks


def tracks_at(
    uv: list[tuple[float, float]],
    *,
    bbox: list[tuple[float, ...]] | None = None,
    state: list[int] | None = None,
    measured: list[bool] | None = None,
    stamp: int = 5,
) -> Tracks2D:
    n = len(uv)
    return Tracks2D(
        camera="left",
        stamp=stamp,
        width=160,
        height=120,
        epoch=0,
        track_id=np.arange(11, 11 + n, dtype=np.uint64),
        uv=np.array(uv, dtype=float).reshape(n, 2),
        covariance=np.tile(np.eye(2), (n, 1, 1)),
        velocity=np.zeros((n, 2)),
        bbox=np.full((n, 4), np.nan) if bbox is None else np.array(bbox, dtype=float),
        score=np.full(n, np.nan),
        state=np.array([State.CONFIRMED] * n if state is None else state, dtype=np.uint8),
        measured=np.array([True] * n if measured is None else measured, dtype=bool),
        class_id=("",) * n,
    )


@pytest.fixture
def image(paint) -> np.ndarray:
    return paint().box(60, 40, 20, 20, (10, 20, 230)).image  # red, in BGR


def test_only_confirmed_and_measured_tracks_in_rgb(image: np.ndarray) -> None:
    tracks = tracks_at(
        [(69.5, 49.5)] * 4,
        bbox=[(59.5, 39.5, 20, 20)] * 4,
        state=[State.CONFIRMED, State.TENTATIVE, State.COASTING, State.CONFIRMED],
        measured=[True, True, False, False],
    )
    ids, rgb, side_px = crop_tracks(Frame("left", 5, image), tracks)
    assert ids.tolist() == [11]
    assert ids.dtype == np.uint64
    assert side_px.tolist() == [25]  # 1.25 boxes
    assert rgb.shape == (1, 64, 64, 3)
    assert rgb.dtype == np.uint8
    assert rgb[0, 32, 32].tolist() == [230, 20, 10]


def test_the_margin_shows_what_is_around(image: np.ndarray) -> None:
    tracks = tracks_at([(69.5, 49.5)], bbox=[(59.5, 39.5, 20, 20)])
    _, rgb, _ = crop_tracks(Frame("left", 5, image), tracks)
    red = (rgb[0, :, :, 0] > 180).mean()
    assert abs(red - 0.8**2) < 0.08
    assert rgb[0, 0, 0].tolist() == [120, 120, 120]


def test_without_a_box_the_window_is_as_large_as_the_picture(image: np.ndarray) -> None:
    _, rgb, side_px = crop_tracks(Frame("left", 5, image), tracks_at([(69.5, 49.5)]), size=32)
    assert side_px.tolist() == [32]
    assert np.array_equal(rgb[0], image[34:66, 54:86, ::-1])


def test_the_border_is_repeated(image: np.ndarray) -> None:
    image = image.copy()
    image[:, 0] = (1, 2, 3)
    _, rgb, _ = crop_tracks(Frame("left", 5, image), tracks_at([(-3.5, 60.5)]), size=16)
    assert (rgb[0, :, :12] == (3, 2, 1)).all()
    assert (rgb[0, :, 12:] == 120).all()


def test_no_tracks_give_no_pictures(image: np.ndarray) -> None:
    ids, rgb, side_px = crop_tracks(Frame("left", 5, image), tracks_at([]))
    assert ids.shape == side_px.shape == (0,)
    assert rgb.shape == (0, 64, 64, 3)


def test_another_image_is_refused(image: np.ndarray) -> None:
    match = "frame must be the image of the tracks, left at 6 ns; got left at 5 ns"
    with pytest.raises(ValueError, match=match):
        crop_tracks(Frame("left", 5, image), tracks_at([(1, 1)], stamp=6))
