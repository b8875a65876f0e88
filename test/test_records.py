import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest

from liquid_mono3d_ros.records import (
    SECOND,
    Facts,
    FilterKind,
    Frame,
    Health,
    Kind,
    Label,
    Points3D,
    Quantity,
    State,
    Tracks2D,
    nanoseconds,
    seconds,
)

MESSAGES = Path(__file__).parents[1] / "msg"
CONSTANT = re.compile(r"^uint\d+ (\w+)=(\d+)", re.MULTILINE)


def tracks(n=2, **changes):
    fields = {
        "camera": "left",
        "stamp": 1,
        "width": 640,
        "height": 480,
        "epoch": 0,
        "track_id": np.arange(n, dtype=np.uint64),
        "uv": np.zeros((n, 2)),
        "covariance": np.zeros((n, 2, 2)),
        "velocity": np.zeros((n, 2)),
        "bbox": np.zeros((n, 4)),
        "score": np.zeros(n),
        "state": np.ones(n, np.uint8),
        "measured": np.ones(n, bool),
        "class_id": ("",) * n,
    }
    return Tracks2D(**{**fields, **changes})


def points(n=2, **changes):
    fields = {
        "stamp": 1,
        "frame_id": "world",
        "epoch": 0,
        "track_id": np.arange(n, dtype=np.uint64),
        "kind": np.ones(n, np.uint8),
        "xyz": np.zeros((n, 3)),
        "covariance": np.zeros((n, 3, 3)),
        "systematic_covariance": np.zeros((n, 3, 3)),
        "ray_origin": np.zeros((n, 3)),
        "ray_direction": np.zeros((n, 3)),
        "ray_covariance": np.zeros((n, 2, 2)),
        "reprojection_error_px": np.zeros(n),
        "parallax_rad": np.zeros(n),
        "sightings": ((),) * n,
    }
    return Points3D(**{**fields, **changes})


def constants(message):
    return {name: int(value) for name, value in CONSTANT.findall((MESSAGES / message).read_text())}


def test_convention_a_stamp_is_an_integer_and_differences_are_seconds():
    newest = 1_700_000_000 * SECOND + 1
    assert seconds(newest - (newest - SECOND // 2)) == 0.5
    assert nanoseconds(1 / 30) == 33_333_333
    assert isinstance(nanoseconds(0.1), int)
    assert float(newest) != newest  # why: a float64 cannot hold it


def test_convention_enumerations_have_the_values_of_the_messages():
    assert constants("Track2D.msg") == {state.name: state.value for state in State}
    assert constants("Point3D.msg") == {kind.name: kind.value for kind in Kind}
    expected = {item.name: item.value for item in [*State, *FilterKind]}
    expected |= {f"HEALTH_{flag.name}": flag.value for flag in Health if flag}
    assert constants("Trajectory.msg") == expected


def test_convention_facts_have_the_fields_of_the_message():
    lines = (MESSAGES / "Facts.msg").read_text().splitlines()
    fields = [line.split()[1] for line in lines if line and not line.startswith("#")]
    own = [field.name for field in dataclasses.fields(Facts)]
    assert own == ["stamp", "frame_id", "track_id", "epoch", "start", "end"] + [
        name
        for name in own
        if name in fields and name not in ("track_id", "epoch", "start", "end")
    ]
    assert set(own) - {"stamp", "frame_id"} == set(fields) - {"header"}


def test_convention_unknown_is_nan_or_empty():
    facts = Facts(stamp=1, frame_id="world", track_id=1, epoch=0, start=1, end=1)
    assert math.isnan(facts.speed_mean.value)
    assert math.isnan(facts.speed_mean.sigma)
    assert not facts.speed_mean.known
    assert facts.direction == Label()
    assert not facts.direction.known
    assert not any(part.known for part in facts.displacement)
    assert Quantity(0.0, 0.0).known
    assert not Quantity(math.inf, 0.0).known


def test_records_say_how_many_they_hold():
    assert len(tracks(3)) == 3
    assert len(points(0)) == 0


@pytest.mark.parametrize(
    ("name", "shape"),
    [("uv", (2, 3)), ("covariance", (2, 2)), ("bbox", (3, 4)), ("state", (2, 1))],
)
def test_tracks_of_another_shape_are_refused(name, shape):
    with pytest.raises(ValueError, match=rf"^{name} must be of shape \(2"):
        tracks(**{name: np.zeros(shape)})


@pytest.mark.parametrize(
    ("name", "shape"),
    [("xyz", (2, 2)), ("ray_covariance", (2, 3, 3)), ("parallax_rad", (3,)), ("kind", ())],
)
def test_points_of_another_shape_are_refused(name, shape):
    with pytest.raises(ValueError, match=rf"^{name} must be of shape \(2"):
        points(**{name: np.zeros(shape)})


def test_an_image_is_bgr_bytes():
    assert Frame("left", 1, np.zeros((4, 6, 3), np.uint8)).image.shape == (4, 6, 3)
    with pytest.raises(
        ValueError, match=r"image must be of shape \(H, W, 3\); got shape \(4, 6\)"
    ):
        Frame("left", 1, np.zeros((4, 6), np.uint8))
    with pytest.raises(TypeError, match=r"image must be uint8; got float64\. Convert it to bgr8"):
        Frame("left", 1, np.zeros((4, 6, 3)))
