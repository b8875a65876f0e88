import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.recording import (
    ORIGIN,
    Looped,
    Recording,
    SyntheticRecording,
    VideoRecording,
    back_and_forth,
    read_ahead,
)
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.paths import Line
from liquid_mono3d_ros.synth.render import textured_background
from liquid_mono3d_ros.synth.rigs import stereo_rig

WIDTH, HEIGHT, COUNT, RATE = 96, 64, 10, 25.0
RIG = stereo_rig(width=WIDTH, height=HEIGHT, focal=80.0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two videos whose frame i has the grey level 20 i."""
    folder = tmp_path_factory.mktemp("videos")
    paths = {name: folder / f"{name}.avi" for name in RIG.cameras}
    for path in paths.values():
        fourcc = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(path), fourcc, RATE, (WIDTH, HEIGHT))
        for k in range(COUNT):
            writer.write(np.full((HEIGHT, WIDTH, 3), 20 * k, np.uint8))
        writer.release()
    return paths


def index(frame):
    """Which frame of the file this is."""
    return round(frame.image.mean() / 20)


def test_convention_recorded_time_zero_is_stamped_one_second(videos):
    recording: Recording = VideoRecording(RIG, videos)
    frames = list(recording)
    assert frames[0].stamp == ORIGIN == SECOND
    assert [f.stamp for f in frames if f.camera == "left"] == [
        SECOND + k * 40_000_000 for k in range(COUNT)
    ]


def test_video_frames_come_in_order_of_stamps_then_of_the_rig(videos):
    recording = VideoRecording(RIG, videos)
    frames = list(recording)
    assert [f.camera for f in frames[:4]] == ["left", "right", "left", "right"]
    assert [index(f) for f in frames] == [k for k in range(COUNT) for _ in range(2)]
    assert len(frames) == recording.num_frames == 2 * COUNT
    assert recording.duration == pytest.approx(COUNT / RATE)
    assert frames[0].frame_id == "left_optical_frame"
    assert [f.stamp for f in recording] == [f.stamp for f in frames]  # again from the start


def test_even_and_odd_frames_make_cameras_that_run_freely(videos):
    recording = VideoRecording(RIG, videos, stride=2, phase={"right": 1})
    frames = list(recording)
    assert [f.camera for f in frames] == ["left", "right"] * (COUNT // 2)
    assert [index(f) for f in frames] == list(range(COUNT))
    assert len({f.stamp for f in frames}) == recording.num_frames == COUNT


def test_rate_can_be_given(videos):
    recording = VideoRecording(RIG, {"right": videos["right"]}, rate=10.0)
    assert [f.stamp - ORIGIN for f in recording][:2] == [0, 100_000_000]
    assert recording.duration == pytest.approx(1.0)


def test_videos_of_another_size_are_refused(videos):
    tall = stereo_rig(width=HEIGHT, height=WIDTH, focal=80.0)
    match = "left images must be 64x96 as calibrated; got 96x64. .*follow_rotation"
    with pytest.raises(ValueError, match=match):
        next(iter(VideoRecording(tall, videos)))


def test_bad_videos_are_refused(videos, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"paths must be existing files; got nowhere\.mp4"):
        VideoRecording(RIG, {"left": "nowhere.mp4"})
    with pytest.raises(ValueError, match="paths must be among the rig's cameras left, right"):
        VideoRecording(RIG, {"top": videos["left"]})
    with pytest.raises(ValueError, match="stride must be 1 or more; got 0"):
        VideoRecording(RIG, videos, stride=0)
    with pytest.raises(ValueError, match="paths must be of one camera or more"):
        VideoRecording(RIG, {})


def test_loops_go_on_in_time(videos):
    looped = Looped(VideoRecording(RIG, videos), 3)
    stamps = [f.stamp for f in looped if f.camera == "left"]
    assert np.diff(stamps).tolist() == [40_000_000] * (3 * COUNT - 1)
    assert looped.num_frames == 6 * COUNT
    assert looped.duration == pytest.approx(3 * COUNT / RATE)


def test_back_and_forth_ends_as_it_began(videos):
    recording = back_and_forth(VideoRecording(RIG, {"left": videos["left"]}))
    frames = list(recording)
    assert [index(f) for f in frames] == [*range(COUNT), *range(COUNT - 2, -1, -1)]
    assert np.diff([f.stamp for f in frames]).tolist() == [40_000_000] * (2 * COUNT - 2)
    assert recording.duration == pytest.approx((2 * COUNT - 1) / RATE)
    assert recording.num_frames == len(frames)


def spot(frame, number):
    """Centroid of what differs from the background, px."""
    background = textured_background(WIDTH, HEIGHT, seed=1000 * number).astype(float)
    change = np.abs(frame.image - background).sum(axis=2)
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.array([(u * change).sum(), (v * change).sum()]) / change.sum()


PATH = Line((2.0, -0.2, 1.0), (0.0, 1.0, 0.3))


def test_synthetic_images_show_the_truth():
    recording = SyntheticRecording(RIG, PATH, 0.4, 10.0, noise=0, colour=(0, 0, 255))
    frames = list(recording)
    assert len(frames) == recording.num_frames == 8
    for frame in frames:
        xyz, velocity = recording.truth(frame.stamp)
        uv = RIG.cameras[frame.camera].project(xyz[None])[0]
        number = list(RIG.cameras).index(frame.camera)
        np.testing.assert_allclose(spot(frame, number), uv, atol=0.15)
        np.testing.assert_allclose(velocity, (0, 1, 0.3))
    np.testing.assert_allclose(recording.truth(ORIGIN)[0], PATH.start)


def test_rates_and_phases_of_each_camera():
    recording = SyntheticRecording(
        RIG, PATH, 0.5, {"left": 10.0, "right": 20.0}, {"right": 0.01}, noise=0
    )
    frames = list(recording)
    stamps = {name: [f.stamp for f in frames if f.camera == name] for name in RIG.cameras}
    assert stamps["left"] == [ORIGIN + k * 100_000_000 for k in range(5)]
    assert stamps["right"] == [ORIGIN + 10_000_000 + k * 50_000_000 for k in range(10)]
    assert [f.stamp for f in frames] == sorted(f.stamp for f in frames)


def with_clock(**clock):
    left, right = RIG.cameras.values()
    return Rig({"left": replace(left, **clock), "right": right}, up=RIG.up)


def test_convention_true_time_is_stamp_plus_time_offset():
    rig = with_clock(time_offset=0.05)
    recording = SyntheticRecording(rig, PATH, 0.3, 10.0, noise=0, colour=(0, 0, 255))
    for frame in recording:
        offset = 50_000_000 if frame.camera == "left" else 0
        uv = rig.cameras[frame.camera].project(recording.truth(frame.stamp + offset)[0][None])[0]
        np.testing.assert_allclose(spot(frame, int(offset == 0)), uv, atol=0.15)


def test_convention_rolling_shutter_exposes_row_by_row():
    rig = with_clock(readout=0.2)
    path = Line((2.0, -0.2, 1.4), (0.0, 1.0, 0.3))
    recording = SyntheticRecording(rig, path, 0.3, 10.0, noise=0, colour=(0, 0, 255))
    rows = []
    for frame in recording:
        if frame.camera == "left":
            uv = spot(frame, 0)
            exposed = frame.stamp + round((uv[1] / HEIGHT - 0.5) * 0.2 * SECOND)
            truth = rig.cameras["left"].project(recording.truth(exposed)[0][None])[0]
            np.testing.assert_allclose(uv, truth, atol=0.2)
            rows.append(uv[1] / HEIGHT - 0.5)
    assert max(np.abs(rows)) > 0.05  # the delay was worth testing


def test_prerendered_frames_are_the_same_and_seeds_differ():
    recording = SyntheticRecording(RIG, PATH, 0.2, 10.0, seed=4)
    stored = recording.prerender()
    assert stored.num_frames == recording.num_frames
    assert stored.duration == recording.duration
    for first, second in zip(stored, recording, strict=True):
        np.testing.assert_array_equal(first.image, second.image)
    other = next(iter(replace(recording, seed=5)))
    assert (other.image != stored.frames[0].image).mean() > 0.3


def test_bad_synthetic_recordings_are_refused():
    with pytest.raises(ValueError, match="rate must be of every camera; got none for right"):
        SyntheticRecording(RIG, PATH, rate={"left": 10.0})
    with pytest.raises(ValueError, match="duration must be positive; got 0"):
        SyntheticRecording(RIG, PATH, duration=0.0)
    with pytest.raises(ValueError, match="phase must be among the rig's cameras"):
        SyntheticRecording(RIG, PATH, phase={"top": 0.1})


def test_reading_ahead_changes_nothing_and_hands_errors_on():
    def failing(frames):
        yield from frames
        raise ValueError("the file ends in the middle")

    frames = list(SyntheticRecording(stereo_rig(), Line(), duration=0.3))
    assert [f.stamp for f in read_ahead(frames, depth=2)] == [f.stamp for f in frames]
    with pytest.raises(ValueError, match="ends in the middle"):
        list(read_ahead(failing(frames)))


def test_leaving_early_ends_the_reading():
    taken = []

    def endless():
        frame = next(iter(SyntheticRecording(stereo_rig(), Line(), duration=0.1)))
        while True:
            taken.append(1)
            yield frame

    before = threading.active_count()
    read = read_ahead(endless(), depth=2)
    next(read)
    assert threading.active_count() == before + 1
    read.close()
    assert threading.active_count() == before
    assert len(taken) <= 5
