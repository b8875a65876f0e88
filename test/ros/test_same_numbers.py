"""The nodes, through messages and a recording, get the numbers of the core to the last bit."""

import dataclasses

import numpy as np
import pytest
import rclpy
import yaml
from liquid_mono3d.msg import Track2DArray
from observer import Observer
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from scenes import circle, line, recording, room_rig

from liquid_mono3d_ros.bench.recordings import read_road
from liquid_mono3d_ros.geometry.rig import save_rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.messages import tracks2d_to_msg
from liquid_mono3d_ros.nodes.recorder import RecorderNode
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode
from liquid_mono3d_ros.records import nanoseconds

pytestmark = pytest.mark.ros
RIG = room_rig(4, readout=0.01)
PHASES = {"cam1": 0.0, "cam2": 0.007, "cam3": 0.019, "cam4": 0.028}
PATHS = [circle(), circle(radius=0.5, speed=-0.8, height=1.3), line((-1, 0.2, 0.6), (1.1, 0, 0.2))]
GEOMETRY = {"clock.estimate": "apply", "calibration_sigma": 0.0005}
FILTER = {"lag": 5}


def late(lags, tracks):
    """Return the tracks in the order in which they come if each camera lags by so much, s."""
    lag = dict(zip(RIG.cameras, map(nanoseconds, lags), strict=True))
    return sorted(tracks, key=lambda one: one.stamp + lag[one.camera])


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Triangulation, filter and recorder in this process, and an observer that lets them run."""
    folder = tmp_path_factory.mktemp("same")
    save_rig(RIG, folder / "rig.yaml")
    parameters = {
        "triangulation": {"rig": str(folder / "rig.yaml"), **GEOMETRY},
        "liquid_filter": FILTER,
        "recorder": {"cameras": list(RIG.cameras), "output": str(folder / "road.mcap")},
    }
    file = folder / "parameters.yaml"
    file.write_text(yaml.safe_dump({n: {"ros__parameters": p} for n, p in parameters.items()}))
    arguments = ["--ros-args", "--params-file", str(file)]
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    stages = [kind() for kind in (TriangulationNode, LiquidFilterNode, RecorderNode)]
    observer = Observer(rclpy.get_default_context(), tuple(stages))
    try:
        for stage in stages:
            assert stage.bring_up(), stage.failure
        yield (*stages, observer, folder / "road.mcap")
    finally:
        for stage in stages:
            stage.stop()
            stage.destroy_node()
        observer.close()
        rclpy.try_shutdown()


@pytest.fixture(scope="module")
def road(nodes):
    """Record 2.5 s without a loss: each image waits for the one before."""
    triangulation, liquid_filter, recorder, observer, path = nodes
    qos = QoSProfile(depth=1000)
    speakers = {
        name: observer.node.create_publisher(Track2DArray, f"{name}/tracks2d", qos)
        for name in RIG.cameras
    }
    for publisher in (*speakers.values(), triangulation.points):  # for a node and the recorder
        observer.until(lambda p=publisher: p.get_subscription_count() == 2)
    observer.until(liquid_filter.trajectories.get_subscription_count)
    images = list(recording(RIG, PATHS, duration=2.5, phases=PHASES, noise_px=1.0, seed=5))
    for sent, one in enumerate(late((0.05, 0.0, 0.08, 0.02), images), start=1):
        message = tracks2d_to_msg(dataclasses.replace(one, class_id=("",) * len(one)))
        speakers[one.camera].publish(message)
        observer.until(lambda n=sent: triangulation.triangulator.counters["images"] == n)
    observer.spin(0.5)
    assert triangulation.triangulator.counters["extrapolated"] == 0
    recorder.stop()
    road = read_road(path)
    assert sum(map(len, road.tracks2d.values())) == len(images)
    return road


def same(ours, recorded):
    """Assert that two records are equal to the last bit, field by field; NaN equals NaN."""
    assert type(ours) is type(recorded)
    if isinstance(ours, tuple):
        assert len(ours) == len(recorded)
        for one, other in zip(ours, recorded, strict=True):
            same(one, other)
    elif dataclasses.is_dataclass(ours):
        for field in dataclasses.fields(ours):
            same(getattr(ours, field.name), getattr(recorded, field.name))
    else:
        np.testing.assert_array_equal(ours, recorded)


def replayed(tracks):
    """Return the points and the trajectories that the core gets from the tracks in this order."""
    triangulator = Triangulator(GeometrySettings.from_flat(GEOMETRY), RIG)
    track_filter = TrackFilter(FilterSettings.from_flat(FILTER))
    points = [found for one in tracks for found in triangulator.add(one)]
    return points, [track_filter.update(found).now for found in points]


@pytest.mark.parametrize(
    "lags", [(0, 0, 0, 0), (0, 0.1, 0.03, 0.06)], ids=["by stamp", "the reference first"]
)
def test_the_core_gets_the_numbers_of_the_nodes_to_the_last_bit(road, lags):
    """Every number of these messages is a float64 or an integer: nothing is rounded on the way.

    Nobody recorded in which order the images of different cameras reached the node, and it does
    not matter: an instant is located once every camera has passed it, from the images around it.
    That ends where a camera is more than ``max_wait`` behind: see ``extrapolated``.
    """
    points, trajectories = replayed(late(lags, [o for own in road.tracks2d.values() for o in own]))
    assert len(road.points3d) == len(road.trajectories) >= 70
    assert sum(map(len, road.points3d)) > 150
    same(tuple(points), tuple(road.points3d))
    same(tuple(trajectories), tuple(road.trajectories))


def test_a_camera_that_is_not_waited_for_changes_the_numbers(road):
    """Or the test above could not fail: 0.25 s is more than ``max_wait``."""
    images = [one for own in road.tracks2d.values() for one in own]
    points, _ = replayed(late((0, 0.25, 0, 0), images))
    with pytest.raises(AssertionError):
        same(tuple(points), tuple(road.points3d))
