"""Simultaneous messages, through the real message_filters where it is installed."""

import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
from liquid_mono3d.msg import Track2DArray
from observer import health, hosted, tracks_message
from scenes import ORIGIN, STEREO_RIG, exposed, line, stereo_rig

from liquid_mono3d_ros.nodes.messages import header, to_stamp
from liquid_mono3d_ros.nodes.pairing import Pairer
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode
from liquid_mono3d_ros.records import SECOND

pytestmark = pytest.mark.ros


@pytest.fixture
def message_filters():
    return pytest.importorskip("message_filters")


def tracks(stamp):
    return Track2DArray(header=header(round(stamp * SECOND), "f"))


def paired(slop, fed):
    """Return the sets of stamps, s, that come of (camera, stamp) pairs, and the pairer."""
    sets = []

    def ready(found):
        sets.append(tuple(to_stamp(m.header.stamp) / SECOND for m in found))

    pairer = Pairer(["left", "right"], ready, slop=slop, queue_size=10)
    for camera, stamp in fed:
        pairer.add(camera, tracks(stamp))
    return sets, pairer


def test_exact_pairs_equal_stamps_in_any_order(message_filters):
    fed = [("left", 1), ("right", 1), ("right", 2), ("left", 2), ("left", 3), ("right", 3.001)]
    sets, pairer = paired(None, fed)
    assert sets == [(1, 1), (2, 2)]
    assert pairer.unpaired == 2


def test_approximate_pairs_the_nearest_within_the_slop(message_filters):
    fed = [("left", 1.0), ("right", 1.015), ("left", 1.1), ("right", 1.2), ("left", 1.205)]
    sets, pairer = paired(0.02, fed)
    assert sets == [(1.0, 1.015), (1.205, 1.2)]
    assert pairer.unpaired == 1


def test_a_recording_that_starts_again_does_not_stall(message_filters):
    waiting = [("left", 100 + k) for k in range(30)]  # they fill the queue, latest last
    again = [(camera, k) for k in range(1, 6) for camera in ("left", "right")]
    sets, _ = paired(0.02, waiting + again)
    assert sets == [(k, k) for k in range(1, 6)]


def test_a_reset_lets_a_recording_start_again(message_filters):
    sets, pairer = paired(None, [("left", 9), ("right", 9), ("left", 10)])
    pairer.reset()
    for camera in ("left", "right"):
        pairer.add(camera, tracks(1))
    assert sets == [(9, 9), (1, 1)]


@pytest.mark.parametrize("sync", ["exact", "approximate"])
def test_the_node_locates_paired_images(message_filters, sync):
    rig, path = stereo_rig(), line((3.0, 0.0, 1.0), (0.0, 0.4, 0.0))
    late = 0 if sync == "exact" else 4_000_000
    with hosted(TriangulationNode, {"sync": sync, "rig": str(STEREO_RIG)}) as (node, observer):
        points = observer.listen("points3d")
        observer.meet("points3d")
        for k in range(10):
            for camera in rig.cameras.values():
                stamp = ORIGIN + k * 33_000_000 + late * (camera.name == "right")
                uv, _ = exposed(camera, stamp, [path])
                message = tracks_message(camera, stamp, uv)
                observer.say("{camera}/tracks2d", message, camera=camera.name)
        observer.until(lambda: points and points[-1].points, "points")
        assert {to_stamp(p.header.stamp) for p in points} <= {
            ORIGIN + k * 33_000_000 for k in range(10)
        }
        assert abs(points[-1].points[0].position.x - 3.0) < 0.05
        assert int(health(node)[2]["count unpaired"]) <= 2


def test_without_message_filters_the_sentence_names_what_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "message_filters", None)
    text = "sync must be interpolate or extrapolate where message_filters is missing; got"
    with pytest.raises(ImportError, match=text):
        Pairer(["left", "right"], lambda found: None, slop=None, queue_size=10)


def test_without_message_filters_the_node_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "message_filters", None)
    given = {"sync": "exact", "rig": str(STEREO_RIG)}
    with hosted(TriangulationNode, given, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert "apt install ros-$ROS_DISTRO-message-filters" in node.failure
