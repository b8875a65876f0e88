"""Clocks that are off: told from moving objects, not from noise; corrected when asked."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.geometry.acquisition import find_offset
from liquid_mono3d_ros.geometry.clock import ClockEstimator, ClockSettings, Sighted
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import nanoseconds, seconds
from liquid_mono3d_ros.synth.paths import Circle
from liquid_mono3d_ros.synth.rigs import ring_rig, stereo_rig
from liquid_mono3d_ros.synth.scene import ORIGIN, simulate, track

RING = ring_rig(3)


@dataclass(frozen=True)
class Wander:
    """Three sines of different rates."""

    centre: tuple[float, float, float] = (0.0, 0.0, 1.0)
    size: float = 1.0

    def xyz(self, t):
        phase = np.outer(t, [1.3, 1.7, 1.1]) + np.array([0.0, 0.5, 1.0])
        return np.array(self.centre) + self.size * np.sin(phase) * np.array([1.0, 1.0, 0.5])

    def velocity(self, t):
        return (self.xyz(t + 1e-4) - self.xyz(t - 1e-4)) / 2e-4


def with_offsets(rig, *offsets):
    cameras = {
        name: replace(camera, time_offset=offset)
        for (name, camera), offset in zip(rig.cameras.items(), offsets, strict=True)
    }
    return Rig(cameras, up=rig.up)


def play(offsets, *, rig=RING, path=Wander(), duration=4.0, sigma_px=1.0, **settings):
    """Return the triangulator after cameras whose clocks are off by more than their rig says."""
    triangulator = Triangulator(
        GeometrySettings.from_flat({f"clock.{k}": v for k, v in settings.items()}), rig
    )
    shots = simulate(
        [path], with_offsets(rig, *offsets), duration=duration, sigma_px=sigma_px, seed=1
    )
    outputs = [out for tracks in track(shots, rig) for out in triangulator.add(tracks)]
    return triangulator, outputs


def clocks(triangulator):
    return {name: health.clock for name, health in triangulator.health().items()}


def sighted(rig, path, t, offsets, estimator, rng, sigma=1e-3):
    """Return what cameras whose clocks are off by ``offsets`` show of an object at ``t``."""
    at = [t + off - estimator.offset(n) for n, off in zip(rig.cameras, offsets, strict=True)]

    def uv(shift):
        return np.array(
            [
                camera.undistort(camera.project(path.xyz(np.array([one + shift]))))[0]
                for camera, one in zip(rig.cameras.values(), at, strict=True)
            ]
        )

    C = len(rig.cameras)
    return Sighted(
        cameras=list(range(C)),
        track=[1] * C,
        P=np.array([camera.P for camera in rig.cameras.values()]),
        uv=uv(0.0) + rng.normal(0.0, sigma, (C, 2)),
        velocity=(uv(1e-3) - uv(-1e-3)) / 2e-3,
        velocity_sigma=1.0,
        covariance=np.tile(np.eye(2) * sigma**2, (C, 1, 1)),
        bend=np.zeros(C),
    )


def estimator(rig=RING, **settings):
    return ClockEstimator(
        tuple(rig.cameras),
        next(iter(rig.cameras)),
        ClockSettings(**settings),
        calibration_sigma=1e-3,
    )


def test_convention_true_time_is_stamp_plus_offset():
    late = (0.0, 0.03, -0.02)  # true time minus stamp
    triangulator, _ = play(late, estimate="report")
    for (name, clock), offset in zip(clocks(triangulator).items(), late, strict=True):
        assert clock.offset == pytest.approx(offset, abs=4e-3), name
    assert clocks(triangulator)["camera0"].sigma == 0.0, "the reference is held"


def test_noiseless_sightings_give_offset_and_drift():
    own, rng = estimator(walk=0.0), np.random.default_rng(0)
    for k in range(300):
        t = k / 10
        own.advance(nanoseconds(t))
        off = (0.0, 0.01 + 5e-5 * t, -0.02)
        own.take(sighted(RING, Wander(), t, off, own, rng, sigma=1e-5))
    found = own.estimates()
    assert found["camera1"].offset == pytest.approx(0.01 + 5e-5 * 29.9, abs=1e-4)
    assert found["camera1"].drift == pytest.approx(5e-5, abs=1e-5)
    assert found["camera2"].offset == pytest.approx(-0.02, abs=1e-4)


def test_sigma_says_how_wrong_it_is():
    wrong = []
    for seed in range(12):
        own, rng = estimator(), np.random.default_rng(seed)
        off = np.append(0.0, rng.normal(0.0, 0.02, 2))
        for k in range(150):
            own.advance(nanoseconds(k / 10))
            own.take(sighted(RING, Wander(), k / 10, off, own, rng))
        found = list(own.estimates().values())[1:]
        wrong += [(f.offset - o) / f.sigma for f, o in zip(found, off[1:], strict=True)]
    assert 0.5 < np.sqrt(np.mean(np.square(wrong))) < 1.4


def test_sigma_shrinks_with_motion_and_grows_without():
    own, rng = estimator(), np.random.default_rng(0)
    sigma = [own.estimates()["camera1"].sigma]
    for k in range(50):
        own.advance(nanoseconds(k / 10))
        own.take(sighted(RING, Wander(), k / 10, (0, 0, 0), own, rng))
    sigma.append(own.estimates()["camera1"].sigma)
    for k in range(50, 350):
        own.advance(nanoseconds(k / 10))
        own.take(sighted(RING, Wander(size=0.0), k / 10, (0, 0, 0), own, rng))
    sigma.append(own.estimates()["camera1"].sigma)
    assert sigma[0] == 0.05
    assert sigma[1] < 0.2 * sigma[0]
    assert sigma[2] > 1.2 * sigma[1]


def test_a_gross_error_is_not_learnt():
    own, rng = estimator(), np.random.default_rng(0)
    for k in range(20):
        own.advance(nanoseconds(k / 10))
        own.take(sighted(RING, Wander(), k / 10, (0, 0, 0), own, rng))
    before = own.estimates()
    own.advance(nanoseconds(2.0))
    wrong = sighted(RING, Wander(), 2.0, (0, 0, 0), own, rng)
    assert not own.take(replace(wrong, uv=wrong.uv + np.array([[0, 0.2], [0, 0], [0, 0]])))
    assert own.estimates()["camera1"].offset == pytest.approx(before["camera1"].offset, abs=1e-4)


def test_motion_along_the_epipolar_lines_tells_nothing():
    level = Circle(centre=(3.0, 0.0, 1.0), radius=0.6, rate=2.0)  # in the plane of the baseline
    triangulator, _ = play((0.0, 0.02), rig=stereo_rig(0.3), path=level, estimate="report")
    assert clocks(triangulator)["right"].sigma > 0.04


def test_applied_corrections_make_the_points_right():
    late = (0.0, 0.04, -0.03)
    error = {}
    for estimate in ("report", "apply"):
        _, outputs = play(late, estimate=estimate, sigma_px=0.3)
        last = outputs[-30:]
        truth = Wander().xyz(np.array([seconds(out.stamp - ORIGIN) for out in last]))
        error[estimate] = np.median(
            [np.linalg.norm(o.xyz[0] - x) for o, x in zip(last, truth, strict=True)]
        )
    assert error["apply"] < 0.006 < 0.02 < error["report"]


def test_an_offset_beyond_every_gate_is_found():
    triangulator, outputs = play((0.0, 0.3, -0.2), estimate="apply", duration=6.0)
    found = clocks(triangulator)
    assert found["camera1"].offset == pytest.approx(0.3, abs=5e-3)
    assert found["camera2"].offset == pytest.approx(-0.2, abs=5e-3)
    assert len(outputs[-1]) == 1
    assert len(outputs[-1].sightings[0]) == 3


def test_a_clock_that_is_off_is_named_with_its_cure():
    triangulator, _ = play((0.0, 0.03, 0.0), estimate="report")
    problem = triangulator.health()["camera1"].problems[0]
    assert problem.startswith("the clock of camera1 is -"), problem
    assert "to its time_offset, or set clock.estimate to apply" in problem
    assert triangulator.health()["camera2"].problems == ()


def test_off_means_off():
    triangulator, _ = play((0.0, 0.03, 0.0), estimate="off", duration=1.0)
    assert set(clocks(triangulator).values()) == {None}


def test_what_is_known_of_the_clocks_outlives_an_epoch():
    triangulator, _ = play((0.0, 0.03, 0.0), estimate="report")
    triangulator.reset()
    assert clocks(triangulator)["camera1"].offset == pytest.approx(0.03, abs=4e-3)


# Acquisition


def histories(camera, path, offset, duration=3.0):
    t = np.arange(0, duration, 1 / 30)
    return {7: (np.array([nanoseconds(x - offset) for x in t]), camera.project(path.xyz(t)))}


@pytest.mark.parametrize("offset", [-0.31, 0.12])
def test_the_offset_that_stands_out_is_found(offset):
    a, b = list(RING.cameras.values())[:2]
    seen = histories(a, Wander(), 0.0), histories(b, Wander(), offset)
    assert find_offset(a, b, *seen, 0.5, 10.0) == pytest.approx(offset, abs=0.011)


def test_a_turned_camera_does_not_pass_for_a_late_one():
    a, b = list(RING.cameras.values())[:2]
    turned = cv2.Rodrigues(np.array([0.02, 0.01, 0.0]))[0] @ b.R_cw
    seen = histories(a, Wander(), 0.0), histories(b, Wander(), 0.0)
    wrong = b.at_pose(turned, -turned @ b.centre)
    assert find_offset(a, wrong, *seen, 0.5, 30.0) is None


def test_no_offset_stands_out_at_rest_or_without_tracks():
    a, b = list(RING.cameras.values())[:2]
    still = Wander(size=0.0)
    seen = histories(a, still, 0.0), histories(b, still, 0.1)
    assert find_offset(a, b, *seen, 0.5, 10.0) is None
    assert find_offset(a, b, seen[0], {}, 0.5, 10.0) is None
    assert find_offset(a, b, {}, seen[1], 0.5, 10.0) is None
