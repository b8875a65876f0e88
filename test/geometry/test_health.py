import numpy as np
import pytest
from scenes import ORIGIN, camera, room_rig

from liquid_mono3d_ros.geometry.health import HealthMonitor
from liquid_mono3d_ros.records import SECOND


def monitor(names=("cam1", "cam2", "cam3")):
    return HealthMonitor(names, limit_px=10.0, silent_after=SECOND)


def test_rate_residual_and_bias():
    watched = monitor()
    for frame in range(40):
        watched.add_image("cam1", ORIGIN + frame * SECOND // 25)
    for residual in ([3.0, 4.0], [3.0, 4.0], [0.0, 1.0]):
        watched.add_residual("cam1", np.array(residual))
    health = watched.report(room_rig(3).cameras)["cam1"]
    assert health.rate == pytest.approx(25.0)
    assert health.residual_px == 5.0
    np.testing.assert_array_equal(health.bias_px, [3.0, 4.0])
    assert health.last_stamp == ORIGIN + 39 * SECOND // 25
    assert health.num_images == 40
    assert health.problems == ()


def test_what_is_not_known_is_nan():
    watched = monitor()
    watched.add_image("cam1", ORIGIN)
    health = watched.report(room_rig(3).cameras)["cam1"]
    assert np.isnan([health.rate, health.residual_px, *health.bias_px]).all()


def test_missing_and_silent_cameras_are_named():
    watched = monitor()
    watched.add_image("cam1", ORIGIN)
    watched.add_image("cam2", ORIGIN + 5 * SECOND // 2)
    report = watched.report(room_rig(3).cameras)
    assert report["cam1"].problems == ("cam1 is silent: 2.5 s behind the newest stamp",)
    assert report["cam2"].problems == ()
    assert report["cam3"].problems == (
        "no tracks of cam3: is its camera running and its topic connected?",
    )
    assert report["cam3"].last_stamp is None


def test_a_camera_that_disagrees_is_named():
    watched = monitor()
    for name in ("cam1", "cam2", "cam3"):
        watched.add_image(name, ORIGIN)
        watched.add_residual(name, np.array([24.0, 23.0]) if name == "cam3" else np.ones(2))
    report = watched.report(room_rig(3).cameras)
    assert [len(health.problems) for health in report.values()] == [0, 0, 1]
    assert report["cam3"].problems[0].startswith("cam3 disagrees with the other cameras by (24.0,")


def test_a_weak_baseline_is_named():
    watched = monitor(("a", "b"))
    cameras = {name: camera(name, (0, 0, 1), (1, 0, 1)) for name in "ab"}
    for name in cameras:
        watched.add_image(name, ORIGIN)
    assert "weak baseline" in watched.report(cameras)["a"].problems[0]


def test_reset_forgets():
    watched = monitor()
    watched.add_image("cam1", ORIGIN)
    watched.add_residual("cam1", np.ones(2))
    watched.reset()
    health = watched.report(room_rig(3).cameras)["cam1"]
    assert (health.num_images, health.last_stamp) == (0, None)
    assert np.isnan(health.residual_px)
