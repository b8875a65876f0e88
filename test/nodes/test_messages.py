"""Records → messages → records: nothing is lost."""

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("rclpy")
m = pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

from liquid_mono3d_ros import records as r  # noqa: E402
from liquid_mono3d_ros.nodes import messages as convert  # noqa: E402

pytestmark = pytest.mark.ros
STAMP = 1_700_000_000_123_456_789
"""A float64 of it in seconds is wrong by a tenth of a microsecond."""
HUGE = 2**63 + 5
"""An id that no float64 holds."""
NAN = math.nan


def through_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def assert_equal(one, other):
    """Compare two records field by field; NaN equals NaN, types of numbers count."""
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other or (one != one and other != other)


def spd(n, size, seed=0):
    A = np.random.default_rng(seed).normal(size=(n, size, size))
    return A @ A.swapaxes(1, 2) + np.eye(size)


@pytest.mark.parametrize("stamp", [0, 1, 999_999_999, 10**9, STAMP, 2**31 * 10**9 - 1])
def test_convention_stamps_are_exact(stamp):
    time = convert.from_stamp(stamp)
    assert 0 <= time.nanosec < 10**9
    assert convert.to_stamp(time) == stamp
    assert convert.to_stamp(through_the_wire(convert.header(stamp, "world")).stamp) == stamp


def tracks2d():
    return r.Tracks2D(
        camera="left",
        stamp=STAMP,
        width=640,
        height=480,
        epoch=3,
        track_id=np.array([1, HUGE], np.uint64),
        uv=np.array([[1.5, -0.25], [639.0, 1 / 3]]),
        covariance=spd(2, 2),
        velocity=np.array([[NAN, NAN], [3.0, -4.0]]),
        bbox=np.array([[0.0, 1.0, 2.0, 3.0], [NAN] * 4]),
        score=np.array([NAN, 0.75]),
        state=np.array([r.State.TENTATIVE, r.State.DELETED], np.uint8),
        measured=np.array([True, False]),
        class_id=("ball", ""),
        frame_id="left_optical_frame",
    )


def test_tracks2d_come_back():
    tracks = tracks2d()
    message = through_the_wire(convert.tracks2d_to_msg(tracks))
    assert_equal(convert.tracks2d_from_msg(message), tracks)
    assert message.tracks[1].track_id == HUGE


def test_no_track_comes_back():
    none = np.zeros(0, int)
    empty = dataclasses.replace(
        tracks2d(),
        **{name: getattr(tracks2d(), name)[none] for name in ("track_id", "uv", "covariance")},
        **{name: getattr(tracks2d(), name)[none] for name in ("velocity", "bbox", "score")},
        **{name: getattr(tracks2d(), name)[none] for name in ("state", "measured")},
        class_id=(),
    )
    message = through_the_wire(convert.tracks2d_to_msg(empty))
    assert_equal(convert.tracks2d_from_msg(message), empty)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("u", NAN, r"tracks\[\].u, v must be finite; got 1 of 4"),
        ("v", math.inf, r"tracks\[\].u, v must be finite"),
        ("covariance", [NAN, 0.0, 0.0, 1.0], r"tracks\[\].covariance must be finite"),
        ("covariance", [-1.0, 0.0, 0.0, 1.0], r"tracks\[\].covariance must be positive"),
        ("covariance", [1.0, 0.5, 0.0, 1.0], r"tracks\[\].covariance must be symmetric"),
    ],
)
def test_tracks_that_cannot_be_used_are_refused(field, value, text):
    message = convert.tracks2d_to_msg(tracks2d())
    setattr(message.tracks[1], field, value)
    with pytest.raises(ValueError, match=text):
        convert.tracks2d_from_msg(message)


def points3d():
    unknown = np.full((3, 3), NAN)
    return r.Points3D(
        stamp=STAMP,
        frame_id="world",
        epoch=2**32 - 1,
        track_id=np.array([7, HUGE], np.uint64),
        kind=np.array([r.Kind.POINT, r.Kind.BEARING], np.uint8),
        xyz=np.array([[1.0, -2.0, 1 / 7], [NAN] * 3]),
        covariance=np.array([spd(1, 3)[0], unknown]),
        systematic_covariance=np.array([unknown, unknown]),
        ray_origin=np.array([[NAN] * 3, [0.1, 0.2, 0.3]]),
        ray_direction=np.array([[NAN] * 3, [0.0, 0.6, 0.8]]),
        ray_covariance=np.array([np.full((2, 2), NAN), spd(1, 2)[0]]),
        reprojection_error_px=np.array([0.7, NAN]),
        parallax_rad=np.array([0.1, NAN]),
        sightings=(
            (
                r.Sighting("left", HUGE, STAMP, np.array([0.5, -0.5]), True),
                r.Sighting("right", 3, STAMP - 1, np.array([0.25, 0.0]), False),
            ),
            (r.Sighting("left", 4, STAMP, np.array([NAN, NAN]), True),),
        ),
    )


def test_a_point_and_a_bearing_come_back():
    message = through_the_wire(convert.points3d_to_msg(points3d()))
    assert_equal(convert.points3d_from_msg(message), points3d())
    assert [p.kind for p in message.points] == [m.Point3D.POINT, m.Point3D.BEARING]
    assert math.isnan(message.points[1].position.x)


def trajectory(**changes):
    values = {
        "stamp": STAMP,
        "track_id": HUGE,
        "epoch": 4,
        "state": r.State.COASTING,
        "measured": False,
        "xyz": np.array([1.0, 2.0, 3.0]),
        "velocity": np.array([-0.1, 0.2, 1 / 3]),
        "covariance": spd(1, 6)[0],
        "filter": r.FilterKind.IMM,
        "health": r.Health.GATED | r.Health.FALLBACK,
        "last_measured": STAMP - 33_333_333,
        "persistence": NAN,
        "num_cameras": 2,
        "predictions": (
            r.Prediction(1, np.array([1.0, 2.0, 3.0]), spd(1, 3)[0]),
            r.Prediction(1_500_000_000, np.array([4.0, 5.0, 6.0]), spd(1, 3, 1)[0]),
        ),
    }
    return r.Trajectory(**(values | changes))


def test_a_trajectory_comes_back():
    message = through_the_wire(convert.trajectory_to_msg(trajectory(), "world"))
    assert_equal(convert.trajectory_from_msg(message), trajectory())
    assert message.header.frame_id == "world"
    assert message.covariance[1] == trajectory().covariance[0, 1]  # row-major


def test_trajectories_carry_the_header_of_the_array():
    both = (trajectory(), trajectory(track_id=2, predictions=()))
    message = convert.trajectories_to_msg(r.Trajectories(STAMP, "world", 4, both))
    message = through_the_wire(message)
    assert (convert.to_stamp(message.header.stamp), message.epoch) == (STAMP, 4)
    for one, sent in zip(message.trajectories, both, strict=True):
        assert_equal(convert.trajectory_from_msg(one), sent)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("xyz", np.array([0.0, NAN, 0.0]), "position must be finite"),
        ("velocity", np.array([0.0, 0.0, math.inf]), "velocity must be finite"),
        ("covariance", np.full((6, 6), NAN), "covariance must be finite"),
    ],
)
def test_a_trajectory_without_its_numbers_is_refused(name, value, text):
    message = convert.trajectory_to_msg(trajectory(**{name: value}), "world")
    with pytest.raises(ValueError, match=text):
        convert.trajectory_from_msg(message)


def test_a_trajectory_of_an_unknown_state_is_refused():
    message = convert.trajectory_to_msg(trajectory(), "world")
    message.state = 77
    with pytest.raises(ValueError, match="77"):
        convert.trajectory_from_msg(message)


def facts():
    known = r.Quantity(1 / 3, 0.01)
    return r.Facts(
        stamp=STAMP,
        frame_id="world",
        track_id=HUGE,
        epoch=1,
        start=STAMP - 10**9,
        end=STAMP,
        object_class=r.Label("ball", 0.9),
        motion=r.Label("circle", 0.5),
        displacement=(known, r.Quantity(), known),
        start_position=(known, known, known),
        duration=r.Quantity(1.0, 0.0),
        num_turns=r.Quantity(3.0, 0.0),
    )


def test_facts_come_back():
    message = through_the_wire(convert.facts_to_msg(facts()))
    assert_equal(convert.facts_from_msg(message), facts())
    assert message.duration.known
    assert not message.speed_mean.known
    assert math.isnan(message.speed_mean.value)
    assert message.motion.known
    assert not message.shape.known


def test_facts_have_the_same_fields_on_both_sides():
    ours = {field.name for field in dataclasses.fields(r.Facts)} - {"stamp", "frame_id"}
    theirs = set(m.Facts.get_fields_and_field_types()) - {"header"}
    assert ours == theirs


def test_a_description_says_all_it_holds():
    words = r.Description("It moves.", "template", facts(), "abc", True, ("fast",))
    message = through_the_wire(convert.description_to_msg(words, latency=0.25))
    assert (message.text, message.backend, message.model_hash) == ("It moves.", "template", "abc")
    assert (message.verified, list(message.unsupported)) == (True, ["fast"])
    assert (message.latency, message.track_id, message.epoch) == (0.25, HUGE, 1)
    assert convert.to_stamp(message.header.stamp) == STAMP
    assert_equal(convert.facts_from_msg(message.facts), facts())


def test_convention_constants_are_those_of_the_messages():
    for kind, states in ((m.Track2D, r.State), (m.Trajectory, r.State), (m.Point3D, r.Kind)):
        for state in states:
            assert getattr(kind, state.name) == state
    for kind in r.FilterKind:
        assert getattr(m.Trajectory, kind.name) == kind
    for flag in r.Health:
        assert getattr(m.Trajectory, f"HEALTH_{flag.name}") == flag
