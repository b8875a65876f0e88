import numpy as np
import pytest
from scenes import ORIGIN, camera, exposed, line, looking_at, tracks2d

from liquid_mono3d_ros.geometry.timing import TrackBuffer
from liquid_mono3d_ros.records import SECOND, State

MS = SECOND // 1000


def make(**changes):
    return camera("a", (0.0, 0.0, 1.0), (1.0, 0.0, 1.0), **changes)


def buffer(seen_by=None, **changes):
    values = {"memory": 2.0, "max_bracket": 0.5, "max_extrapolation": 0.1, "acceleration": 0.0}
    return TrackBuffer(seen_by or make(), **(values | changes))


def at(ms, uv, *, sigma_px=1.0, **changes):
    return tracks2d(make(), ORIGIN + ms * MS, np.atleast_2d(uv), sigma_px=sigma_px, **changes)


def test_interpolation_between_two_images():
    tracks = buffer()
    tracks.add(at(0, [100.0, 50.0], sigma_px=1.0))
    tracks.add(at(40, [140.0, 70.0], sigma_px=2.0))
    found = tracks.evaluate(ORIGIN + 10 * MS)
    np.testing.assert_allclose(found.uv, [[110.0, 55.0]])
    # σ²: (1-w)² 1 + w² 4 at w = 1/4
    np.testing.assert_allclose(found.covariance, [np.eye(2) * (0.5625 + 0.25)])
    np.testing.assert_allclose(found.velocity, [[1000.0, 500.0]])
    assert found.measured.all()
    assert found.track_id == [1]
    assert found.stamp == ORIGIN + 40 * MS  # of the newest image used


def test_convention_stamps_stay_integers_and_exact():
    tracks = buffer()
    stamp = ORIGIN + 123_456_789
    tracks.add(tracks2d(make(), stamp, np.array([[1.0, 2.0]])))
    found = tracks.evaluate(stamp)
    assert found.stamp == stamp
    assert type(found.stamp) is int
    np.testing.assert_array_equal(found.uv, [[1.0, 2.0]])
    assert found.measured.all()
    assert tracks.evaluate(stamp + 1).measured.tolist() == []  # 1 ns later there is no velocity


def test_convention_true_time_is_stamp_plus_offset():
    late = buffer(make(time_offset=0.020))
    late.add(at(0, [100.0, 50.0]))
    late.add(at(40, [140.0, 50.0]))
    assert late.true_time(ORIGIN) == ORIGIN + 20 * MS
    np.testing.assert_allclose(late.evaluate(ORIGIN + 30 * MS).uv, [[110.0, 50.0]])


def test_rolling_shutter_rows_have_their_own_time():
    rolling = make(readout=0.02)
    path = line((5.0, -1.0, 1.8), (0.0, 1.0, -0.5))
    tracks = buffer(rolling)
    for ms in (0, 40):
        uv, velocity = exposed(rolling, ORIGIN + ms * MS, [path])
        tracks.add(tracks2d(rolling, ORIGIN + ms * MS, uv, velocity=velocity))
    truth = rolling.project(path(0.025)[None])
    np.testing.assert_allclose(tracks.evaluate(ORIGIN + 25 * MS).uv, truth, atol=1e-6)
    uv, _ = exposed(rolling, ORIGIN + 40 * MS, [path])
    truth = rolling.project(path(0.040)[None])
    assert np.abs(uv - truth).max() > 0.3  # the row was exposed at another time than the middle
    at_stamp = tracks.evaluate(ORIGIN + 40 * MS)
    np.testing.assert_allclose(at_stamp.uv, truth, atol=1e-6)
    assert at_stamp.measured.all()


def test_extrapolation_follows_the_velocity_and_says_so():
    tracks = buffer(acceleration=1000.0)
    tracks.add(at(0, [100.0, 50.0]))
    tracks.add(at(20, [120.0, 50.0], velocity=np.array([[900.0, 0.0]])))
    found = tracks.evaluate(ORIGIN + 30 * MS)
    np.testing.assert_allclose(found.uv, [[129.0, 50.0]])
    # 1 + 2 (10/20)² for the velocity, (½ 1000 0.01²)² for what it ignores
    np.testing.assert_allclose(found.covariance, [np.eye(2) * (1.5 + 0.05**2)])
    assert not found.measured.any()
    assert found.fresh.all()
    assert tracks.evaluate(ORIGIN + 121 * MS) is None


def test_extrapolation_takes_differences_where_the_tracker_has_no_velocity():
    tracks = buffer()
    tracks.add(at(0, [[100.0, 50.0], [0.0, 0.0]], track_id=[7, 8]))
    tracks.add(at(20, [[120.0, 50.0], [5.0, 5.0]], track_id=[7, 9]))
    found = tracks.evaluate(ORIGIN + 30 * MS)
    assert found.track_id == [7]  # 9 is new: nobody knows where it goes
    np.testing.assert_allclose(found.uv, [[130.0, 50.0]])


def test_a_long_gap_is_not_interpolated():
    tracks = buffer(max_bracket=0.1)
    tracks.add(at(0, [100.0, 50.0], velocity=np.array([[0.0, 0.0]])))
    tracks.add(at(400, [300.0, 50.0], velocity=np.array([[0.0, 0.0]])))
    assert tracks.evaluate(ORIGIN + 200 * MS) is None
    for ms, u in ((50, 100.0), (350, 300.0)):
        found = tracks.evaluate(ORIGIN + ms * MS)
        np.testing.assert_allclose(found.uv, [[u, 50.0]])
        assert not found.measured.any()


def test_all_but_deleted_tracks_in_both_images_count():
    tracks = buffer()
    tracks.add(at(0, [[1.0, 1.0], [2.0, 2.0]], track_id=[1, 2]))
    after = at(20, [[3.0, 3.0], [4.0, 4.0], [5.0, 5.0]], track_id=[2, 3, 1])
    after.state[2] = State.DELETED
    tracks.add(after)
    assert tracks.evaluate(ORIGIN + 10 * MS).track_id == [2]
    tentative = at(40, [[3.0, 3.0]], track_id=[2])
    tentative.state[0] = State.TENTATIVE
    tracks.add(tentative)
    assert tracks.evaluate(ORIGIN + 40 * MS).track_id == [2]  # the filter confirms objects


def test_coasting_is_not_fresh():
    tracks = buffer()
    for ms, measured in ((0, True), (20, False), (40, False)):
        tracks.add(at(ms, [100.0 + ms, 50.0], measured=[measured]))
    half = tracks.evaluate(ORIGIN + 10 * MS)
    assert (half.fresh.tolist(), half.measured.tolist()) == ([True], [False])
    assert tracks.evaluate(ORIGIN + 30 * MS).fresh.tolist() == [False]


def test_pixels_that_are_no_numbers_are_left_out():
    tracks = buffer()
    one = at(0, [[np.nan, 1.0], [2.0, 2.0], [3.0, 3.0]])
    one.covariance[1] = 0.0
    tracks.add(one)
    assert tracks.evaluate(ORIGIN).track_id == [3]


def test_a_known_sigma_replaces_that_of_measured_tracks():
    tracks = buffer(make(sigma_px=3.0))
    tracks.add(at(0, [[1.0, 1.0], [2.0, 2.0]], sigma_px=7.0, measured=[True, False]))
    np.testing.assert_allclose(tracks.evaluate(ORIGIN).covariance, [np.eye(2) * 9, np.eye(2) * 49])


def test_a_new_epoch_of_the_tracker_forgets_its_numbers():
    tracks = buffer()
    tracks.add(at(0, [100.0, 50.0]))
    tracks.add(at(20, [500.0, 50.0], epoch=1))
    assert tracks.evaluate(ORIGIN + 10 * MS).track_id == []
    np.testing.assert_allclose(tracks.evaluate(ORIGIN + 20 * MS).uv, [[500.0, 50.0]])


def test_memory_is_short():
    tracks = buffer(memory=0.1)
    for ms in range(0, 1000, 20):
        tracks.add(at(ms, [float(ms), 50.0]))
    assert tracks.evaluate(ORIGIN + 500 * MS) is None
    assert len(tracks._images) <= 7
    tracks.reset()
    assert tracks.evaluate(ORIGIN + 980 * MS) is None


def test_a_moving_camera_is_where_it_was_at_that_instant():
    tracks = buffer()
    start = looking_at((0.0, 0.0, 1.0), (5.0, 0.0, 1.0))
    end = looking_at((0.4, 0.0, 1.0), (5.0, 1.0, 1.0))
    tracks.add(at(0, [100.0, 50.0]), start)
    tracks.add(at(40, [100.0, 50.0]), end)
    R_cw, t_cw = tracks.evaluate(ORIGIN + 10 * MS).pose
    np.testing.assert_allclose(-R_cw.T @ t_cw, [0.1, 0.0, 1.0], atol=1e-12)
    angle = np.arctan2(1.0, 4.6) / 4
    np.testing.assert_allclose(R_cw[2], [np.cos(angle), np.sin(angle), 0.0], atol=1e-9)
    assert tracks.evaluate(ORIGIN + 40 * MS).pose is end


def test_an_empty_buffer_knows_nothing():
    assert buffer().evaluate(ORIGIN) is None


@pytest.mark.parametrize("ms", [0, 10, 20, 25])
def test_no_tracks_are_still_an_answer(ms):
    tracks = buffer()
    tracks.add(at(0, np.zeros((0, 2))))
    tracks.add(at(20, np.zeros((0, 2))))
    assert tracks.evaluate(ORIGIN + ms * MS).uv.shape == (0, 2)
