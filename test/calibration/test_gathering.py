"""Tracks of a room's cameras → Observations, also of a camera that is far off."""

import numpy as np
import pytest
from knocked_rigs import SHIFTS, knocked, path_through_the_room, tracks_of

from liquid_mono3d_ros.calibration.gathering import _slopes, gather
from liquid_mono3d_ros.calibration.refinement import refine_rig
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.rigs import ring_rig


@pytest.fixture
def room():
    return ring_rig(4)


def test_pixels_at_common_times_are_those_of_the_object_then(room):
    observations = gather(room, tracks_of(room))
    assert observations.cameras == tuple(room.cameras)
    assert set(observations.track_id) == {1, 2}
    assert observations.seen.mean() > 0.9
    t = (observations.time - SECOND) / SECOND
    truth = np.array(
        [camera.project(path_through_the_room(t)) for camera in room.cameras.values()]
    )
    shifted = np.array(
        [camera.project(path_through_the_room(t) + SHIFTS[1]) for camera in room.cameras.values()]
    )
    error = np.fmin(
        np.linalg.norm(observations.uv - truth, axis=2),
        np.linalg.norm(observations.uv - shifted, axis=2),
    )
    assert np.nanmedian(error) < 0.7
    assert np.nanmax(error) < 4.0
    assert np.nanmedian(observations.sigma_px) < 0.6  # interpolated: below that of one image


def test_a_knocked_camera_still_takes_part_and_is_repaired(room):
    truth = knocked(room, "camera2", degrees=1.5, metres=0.03, late=0.010)
    observations = gather(room, tracks_of(truth, duration=4.0))
    assert observations.seen[2].mean() > 0.9
    found = refine_rig(room, observations)
    assert list(found.changes) == ["camera2"]
    assert found.before_px["camera2"] > 5
    assert found.after_px["camera2"] < 1.5
    change, camera = found.changes["camera2"], found.rig.cameras["camera2"]
    assert abs(camera.time_offset - 0.010) < 3.5 * change.clock[1] < 0.006
    shift = np.linalg.norm(camera.centre - truth.cameras["camera2"].centre)
    assert shift < 4 * change.shift[1] < 0.03


def test_velocities_owe_nothing_to_the_noise_of_their_pixel(room):
    """Noise in one pixel leaves its velocity and changes those beside it; the ends are unknown."""
    observations = gather(room, tracks_of(room, duration=1.0, noise=1e-3))
    own = np.flatnonzero(observations.track_id == 1)
    t = observations.time[own] / SECOND
    uv = observations.uv[0, own]
    velocity = observations.velocity[0, own]
    assert np.isnan(velocity[:2]).all()
    assert np.isnan(velocity[-2:]).all()
    inner = slice(3, -3)
    np.testing.assert_allclose(velocity[inner], np.gradient(uv, t, axis=0)[inner], atol=5.0)
    before = _slopes(t, uv)
    uv[10] += 5.0
    after = _slopes(t, uv)
    np.testing.assert_array_equal(after[10], before[10])
    assert (np.abs(after[9] - before[9]) > 1).all()


def test_says_that_nothing_was_seen_by_two(room):
    alone = [image for image in tracks_of(room, duration=0.5) if image.camera == "camera0"]
    with pytest.raises(
        ValueError, match="tracks must be of objects seen by two cameras; got none"
    ):
        gather(room, alone)
