"""Detections of a simulated scene: where, when, how many."""

import dataclasses

import numpy as np
import pytest

from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.paths import Circle, Line
from liquid_mono3d_ros.synth.rigs import ring_rig, stereo_rig
from liquid_mono3d_ros.synth.scene import ORIGIN, project_path, simulate, true_time

FALL = Line(start=(3.0, 0.0, 1.8), speed=(0.0, 0.0, -1.0))


def changed(rig, **changes):
    cameras = {name: dataclasses.replace(c, **changes) for name, c in rig.cameras.items()}
    return Rig(cameras, rig.world_frame, rig.up)


def test_without_noise_the_pixels_are_those_of_the_path():
    rig, path = ring_rig(3), Circle(centre=(0.0, 0.0, 1.0))
    shots = simulate([path], rig, duration=0.5, sigma_px=1e-9, seed=1)
    assert len(shots) == 3 * 15
    for shot in shots:
        camera = rig.cameras[shot.camera]
        truth = camera.project(path.xyz(np.array([true_time(camera, shot.stamp)])))
        np.testing.assert_allclose(shot.detections.uv, truth, atol=1e-4)


def test_shots_come_in_the_order_of_exposure_and_phases_are_kept():
    rig = ring_rig(3)
    shots = simulate([], rig, phases={"camera1": 0.01}, duration=0.2, seed=0)
    times = [true_time(rig.cameras[shot.camera], shot.stamp) for shot in shots]
    assert times == sorted(times)
    first = next(shot for shot in shots if shot.camera == "camera1")
    assert first.stamp == ORIGIN + SECOND // 100
    assert all(len(shot.detections) == 0 for shot in shots)


def test_convention_true_time_is_stamp_plus_time_offset():
    rig = changed(stereo_rig(), time_offset=0.02)
    shot = simulate([FALL], rig, phases={"left": 0.0}, duration=0.1, sigma_px=1e-9)[0]
    assert shot.stamp == ORIGIN - SECOND // 50
    np.testing.assert_allclose(
        shot.detections.uv, rig.cameras["left"].project(FALL.xyz(np.zeros(1))), atol=1e-6
    )


def test_convention_a_lower_row_is_exposed_later():
    camera = changed(stereo_rig(), readout=0.03).cameras["left"]
    uv = project_path(camera, FALL, np.array([0.5]))[0]
    later = 0.5 + (uv[1] / camera.height - 0.5) * camera.readout
    np.testing.assert_allclose(uv, camera.project(FALL.xyz(np.array([later])))[0], atol=1e-5)
    assert later < 0.5, "above the middle row, so earlier"


def test_drops_clutter_and_noise_have_their_rates():
    rig, path = ring_rig(2), Circle(centre=(0.0, 0.0, 1.0))
    shots = simulate([path], rig, duration=60.0, sigma_px=2.0, drop=0.1, clutter=0.5, seed=2)
    true = np.array([np.count_nonzero(shot.source == 0) for shot in shots])
    false = np.array([np.count_nonzero(shot.source == -1) for shot in shots])
    assert true.mean() == pytest.approx(0.9, abs=0.02)
    assert false.mean() == pytest.approx(0.5, abs=0.04)
    errors = []
    for shot in shots:
        camera = rig.cameras[shot.camera]
        truth = camera.project(path.xyz(np.array([true_time(camera, shot.stamp)])))
        errors.append(shot.detections.uv[shot.source == 0] - truth)
    assert np.concatenate(errors).std() == pytest.approx(2.0, rel=0.03)


def test_what_is_behind_or_outside_is_not_detected():
    behind, outside = Line(start=(-3.0, 0.0, 1.0)), Line(start=(3.0, 50.0, 1.0))
    shots = simulate([behind, outside], stereo_rig(), duration=0.2)
    assert all(len(shot.detections) == 0 for shot in shots)


def test_the_same_seed_gives_the_same_scene():
    one, same, other = (
        simulate([FALL], stereo_rig(), duration=0.2, clutter=1.0, seed=seed) for seed in (3, 3, 4)
    )
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.detections.uv, b.detections.uv)
    assert any(
        a.detections.uv.shape != b.detections.uv.shape or a.stamp != b.stamp
        for a, b in zip(one, other, strict=True)
    )


def test_a_drop_is_a_chance():
    with pytest.raises(ValueError, match="drop must be a chance, 0 to 1; got 2"):
        simulate([FALL], stereo_rig(), duration=0.1, drop=2.0)
