from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.records import Frame, State, Tracks2D
from liquid_mono3d_ros.tracking.drawing import colour_of, draw_tracks

FRAME = Frame("left", 5, np.zeros((120, 160, 3), np.uint8))
NAN = np.nan


def one(**changes: object) -> Tracks2D:
    """Return a confirmed, measured track at (80, 60) with a box and no velocity."""
    tracks = Tracks2D(
        camera="left",
        stamp=5,
        width=160,
        height=120,
        epoch=0,
        track_id=np.array([3], np.uint64),
        uv=np.array([[80.0, 60.0]]),
        covariance=np.array([np.diag([9.0, 36.0])]),
        velocity=np.full((1, 2), NAN),
        bbox=np.array([[49.5, 39.5, 61.0, 41.0]]),
        score=np.array([NAN]),
        state=np.array([State.CONFIRMED], np.uint8),
        measured=np.array([True]),
        class_id=("",),
    )
    return replace(tracks, **changes)  # type: ignore[arg-type]


def lit(image: np.ndarray, u: int, v: int) -> bool:
    return bool(image[v, u].any())


def test_convention_box_and_ellipse_lie_where_they_should() -> None:
    image = draw_tracks(FRAME, one(measured=np.array([False])))
    for corner in ((50, 40), (110, 40), (50, 80), (110, 80)):
        assert lit(image, *corner), "first and last pixel of the box"
    assert not lit(image, 48, 60)
    assert not lit(image, 112, 60)
    assert lit(image, 80 + 6, 60), "two standard deviations of 3 px"
    assert lit(image, 80, 60 - 12), "two standard deviations of 6 px"
    assert not lit(image, 80 + 9, 60)
    assert (image[40, 50] == colour_of(3)).all()


def test_the_tail_lies_behind() -> None:
    image = draw_tracks(FRAME, one(velocity=np.array([[0.0, -200.0]])))
    assert lit(image, 80, 60 + 59)
    assert not lit(image, 80, 60 - 16)
    assert not lit(draw_tracks(FRAME, one()), 80, 60 + 59), "an unknown velocity has none"


def test_what_is_predicted_is_thin_and_what_is_tentative_grey() -> None:
    measured = draw_tracks(FRAME, one())
    coasting = draw_tracks(FRAME, one(measured=np.array([False])))
    assert measured.any(axis=2).sum() > coasting.any(axis=2).sum() > 0
    tentative = draw_tracks(FRAME, one(state=np.array([State.TENTATIVE], np.uint8)))
    assert (tentative == tentative[:, :, :1]).all()


def test_the_class_is_written_beside_the_id() -> None:
    plain, named = draw_tracks(FRAME, one()), draw_tracks(FRAME, one(class_id=("ball",)))
    above = slice(25, 38)
    assert plain[above].any(axis=2).sum() > 10
    assert named[above].any(axis=2).sum() > 2 * plain[above].any(axis=2).sum()


def test_deleted_tracks_and_no_tracks_leave_the_image() -> None:
    deleted = one(state=np.array([State.DELETED], np.uint8))
    assert not draw_tracks(FRAME, deleted).any()
    draw_tracks(FRAME, one())
    assert not FRAME.image.any(), "the image itself is not drawn into"


def test_far_and_boundless_things_do_no_harm() -> None:
    far = one(
        uv=np.array([[1e12, -1e12]]),
        covariance=np.array([np.eye(2) * 1e20]),
        velocity=np.array([[1e15, 1e15]]),
        bbox=np.full((1, 4), NAN),
    )
    assert draw_tracks(FRAME, far).shape == FRAME.image.shape


def test_neighbouring_ids_differ_in_colour() -> None:
    colours = np.array([colour_of(i) for i in range(1, 9)], float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert apart[~np.eye(8, dtype=bool)].min() > 40


@pytest.mark.parametrize("change", [{"camera": "right"}, {"stamp": 6}])
def test_another_image_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="frame must be the image of the tracks"):
        draw_tracks(FRAME, one(**change))
