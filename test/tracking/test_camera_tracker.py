from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.records import SECOND, Frame, State, Tracks2D
from liquid_mono3d_ros.tracking.camera_tracker import DETECTORS, CameraTracker, TrackingSettings
from liquid_mono3d_ros.tracking.detection import Detections

STEP = SECOND // 30
COLOUR = TrackingSettings(detector="colour")
START = 1_700_000_000 * SECOND + 123_456_789


@pytest.fixture
def frame(paint, teal) -> Callable[..., Frame]:
    def make(k: int, *, width: int = 160, camera: str = "left", seen: bool = True) -> Frame:
        canvas = paint(width=width)
        if seen:
            canvas.box(20 + 2 * k, 40, 12, 12, teal)
        return Frame(camera, START + k * STEP, canvas.image, f"{camera}_optical_frame")

    return make


@pytest.fixture
def textured(rng) -> Callable[[int], np.ndarray]:
    cells = rng.integers(20, 235, (30, 40, 3), dtype=np.uint8)
    scene = cv2.resize(cells, (240, 180))
    thing = cv2.resize(cells[:6, :6], (40, 40))

    def make(left: int) -> np.ndarray:
        image = scene.copy()
        image[60:100, left : left + 40] = thing
        return image

    return make


def test_the_road_from_images_to_tracks(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    tracks = [tracker.update(frame(k)) for k in range(20)]
    last = tracks[-1]
    assert isinstance(last, Tracks2D)
    assert (last.camera, last.frame_id) == ("left", "left_optical_frame")
    assert (last.width, last.height, last.epoch) == (160, 120, 0)
    assert last.track_id.tolist() == [1]
    assert last.state.tolist() == [State.CONFIRMED]
    assert np.allclose(last.uv, [[20 + 2 * 19 + 5.5, 45.5]], atol=0.2)
    assert np.allclose(last.velocity, [[60, 0]], atol=3)
    assert last.covariance.shape == (1, 2, 2)
    assert not tracker.events


def test_convention_the_stamp_is_copied(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    for k in range(3):
        assert tracker.update(frame(k)).stamp == START + k * STEP


def test_an_empty_image_gives_an_empty_record(frame) -> None:
    tracks = CameraTracker("left", COLOUR).update(frame(0, seen=False))
    assert len(tracks) == 0
    assert tracks.stamp == START


def test_convention_a_backward_stamp_begins_an_epoch(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    before = [tracker.update(frame(k)) for k in range(4)][-1]
    after = tracker.update(frame(0))
    assert (before.epoch, after.epoch, tracker.epoch) == (0, 1, 1)
    assert after.track_id.tolist() == [2]
    assert after.state.tolist() == [State.TENTATIVE]
    assert tracker.events == {"backward_stamp": 1}


def test_convention_reset_begins_an_epoch(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    tracker.update(frame(5))
    tracker.reset()
    tracks = tracker.update(frame(0))  # the past is forgotten, so this is not backward
    assert tracks.epoch == 1
    assert not tracker.events


def test_a_change_of_the_image_size_resets(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    tracker.update(frame(0))
    tracks = tracker.update(frame(1, width=200))
    assert (tracks.width, tracks.epoch) == (200, 1)
    assert tracker.events == {"image_size": 1}


def test_a_repeated_image_is_used_once(frame) -> None:
    tracker = CameraTracker("left", COLOUR)
    first, again = tracker.update(frame(0)), tracker.update(frame(0))
    assert np.array_equal(first.covariance, again.covariance)
    assert again.epoch == 0
    assert tracker.events == {"repeated_stamp": 1}


def test_background_is_the_default_and_resets_with_the_tracks(frame) -> None:
    settings = TrackingSettings.from_flat({"background.warm_up": 5, "background.area_min": 50.0})
    tracker = CameraTracker("left", settings)
    counts = [len(tracker.update(frame(k, seen=k >= 5))) for k in range(10)]
    assert counts[:5] == [0] * 5
    assert counts[-1] >= 1
    tracker.reset()
    assert [len(tracker.update(frame(k))) for k in range(5)] == [0] * 5


def test_each_camera_has_its_own_background_image(frame, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "left.png"), frame(0, seen=False).image)
    path = str(tmp_path / "{camera}.png")
    settings = TrackingSettings.from_flat(
        {"background.background_image": path, "background.area_min": 50.0}
    )
    tracks = CameraTracker("left", settings).update(frame(0))
    assert np.allclose(tracks.uv, [[25.5, 45.5]], atol=0.6)
    with pytest.raises(FileNotFoundError, match=r"right\.png must be an image"):
        CameraTracker("right", settings)


def test_a_frame_of_another_camera_is_refused(frame) -> None:
    with pytest.raises(ValueError, match=r"frame\.camera must be 'right'; got 'left'"):
        CameraTracker("right", COLOUR).update(frame(0))


def test_ready_detections_share_the_logic_of_epochs() -> None:
    tracker = CameraTracker("left", TrackingSettings(detector="topic"))
    seen = [Detections.at(np.array([[20.0 + 2 * k, 40.0]]), 3.0) for k in range(5)]

    def follow(k: int, size: tuple[int, int] = (160, 120)) -> Tracks2D:
        return tracker.update_detections(seen[k], START + k * STEP, size, frame_id="optical")

    last = [follow(k) for k in range(5)][-1]
    assert (last.camera, last.stamp, last.frame_id) == ("left", START + 4 * STEP, "optical")
    assert (last.width, last.height, last.epoch) == (160, 120, 0)
    assert last.state.tolist() == [State.CONFIRMED]
    assert np.allclose(last.uv, [[28, 40]], atol=0.5)
    assert follow(4).epoch == 0
    assert follow(1).epoch == 1
    assert follow(2, (320, 240)).epoch == 2
    assert tracker.events == {"repeated_stamp": 1, "backward_stamp": 1, "image_size": 1}
    tracker.reset()
    assert follow(0).epoch == 3


def test_images_are_refused_where_detections_come_ready(frame) -> None:
    tracker = CameraTracker("left", TrackingSettings(detector="topic"))
    with pytest.raises(ValueError, match=r"one of background, colour, flow, onnx; got 'topic'"):
        tracker.update(frame(0))


def test_every_detector_is_offered() -> None:
    leaf = next(leaf for leaf in TrackingSettings.leaves() if leaf.name == "detector")
    assert set(leaf.choices or ()) == {*DETECTORS, "topic"}


def test_flow_forgets_its_images_with_the_tracks(textured) -> None:
    settings = TrackingSettings.from_flat({"detector": "flow", "flow.interval": 1})
    tracker = CameraTracker("left", settings)

    def follow(k: int) -> int:
        image = textured(40 + 8 * k)
        return len(tracker.update(Frame("left", START + k * STEP, image)))

    assert [follow(k) for k in range(3)] == [0, 1, 1]
    tracker.reset()
    assert [follow(k) for k in range(2)] == [0, 1]


def test_unknown_detectors_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match="detector must be one of background, colour, flow, onnx, topic; got 'yolo'",
    ):
        TrackingSettings(detector="yolo")
