from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.tracking.flow import FlowDetector, FlowSettings, cluster, scene_motion

WIDTH, HEIGHT = 320, 240
MARGIN = 120


class Scene:
    """A textured scene before a camera that shifts and turns, and a textured thing before it."""

    def __init__(self, thing: tuple[int, int] = (48, 40), noise: float = 2.0) -> None:
        self.rng = np.random.default_rng(3)
        self.noise = noise
        self.scene = self._texture(WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
        self.thing = self._texture(*thing)

    def _texture(self, width: int, height: int) -> Array:
        cells = self.rng.uniform(20, 235, (height // 6 + 1, width // 6 + 1, 3)).astype(np.float32)
        return cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)

    def image(self, motion: Array, at: Array | None) -> Array:
        """Return the scene moved by (2, 3), with the thing's corner at (2,) px unless None."""
        start = np.array([[1.0, 0, -MARGIN], [0, 1.0, -MARGIN], [0, 0, 1.0]])
        move = np.vstack([motion, [0, 0, 1]]) @ start
        image = cv2.warpPerspective(self.scene, move, (WIDTH, HEIGHT))
        if at is not None:
            place = np.array([[1.0, 0, at[0]], [0, 1.0, at[1]]])
            own = cv2.warpAffine(self.thing, place, (WIDTH, HEIGHT))
            inside = cv2.warpAffine(np.ones(self.thing.shape[:2]), place, (WIDTH, HEIGHT)) > 0.5
            image[inside] = own[inside]
        image += self.rng.normal(0, self.noise, image.shape)
        return np.clip(image, 0, 255).astype(np.uint8)


def moved(k: int, shift: tuple[float, float], turn: float) -> Array:
    """Return the motion of the scene up to image k, about the image's centre, (2, 3)."""
    motion = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), np.rad2deg(turn) * k, 1.0)
    motion[:, 2] += np.array(shift) * k
    return motion


def run(settings: FlowSettings, shift: tuple[float, float], turn: float, speed: Array | None):
    """Return what is detected in 12 images, and where the thing's middle was, (12, 2) px."""
    scene, detector = Scene(), FlowDetector(settings)
    seen, middle = [], []
    for k in range(12):
        corner = None if speed is None else (130.0, 90.0) + speed * k
        seen.append(detector.detect(scene.image(moved(k, shift, turn), corner)))
        middle.append((np.nan, np.nan) if corner is None else corner + np.array([23.5, 19.5]))
    return seen, np.array(middle)


SWAYS = pytest.mark.parametrize(
    ("shift", "turn"),
    [((0.0, 0.0), 0.0), ((3.0, -2.0), 0.0), ((0.0, 0.0), 0.015), ((4.0, 1.5), -0.01)],
    ids=["still", "shifting", "turning", "both"],
)
SETTINGS = FlowSettings(process_scale=1.0)


@SWAYS
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_only_the_thing_is_found(shift, turn, scale: float) -> None:
    settings = FlowSettings(process_scale=scale)
    seen, middle = run(settings, shift, turn, np.array([-2.0, 2.5]))
    assert [len(s) for s in seen] == [0, 0] + [1] * 10
    error = np.concatenate([s.uv for s in seen]) - middle[2:]
    assert np.sqrt((error**2).mean()) < settings.sigma_px
    boxes = np.concatenate([s.bbox for s in seen])
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    assert ((low < middle[2:]) & (middle[2:] < high)).all(), "the box holds the thing's middle"
    assert (high - low < (48 + 20, 40 + 20)).all()
    assert all(s.sigma_px.tolist() == [settings.sigma_px] for s in seen[2:])


@SWAYS
def test_nothing_is_found_where_nothing_moves_by_itself(shift, turn) -> None:
    seen, _ = run(SETTINGS, shift, turn, None)
    assert sum(map(len, seen)) == 0


def test_the_motion_of_the_scene_is_the_one_it_was_given() -> None:
    scene = Scene()
    one, two = (
        cv2.cvtColor(scene.image(moved(k, (5.0, -3.0), 0.02), None), cv2.COLOR_BGR2GRAY)
        for k in (0, 1)
    )
    corners = np.array([[[20.0, 20]], [[300, 20]], [[20, 220]], [[300, 220]]])
    expected = cv2.transform(corners, moved(1, (5.0, -3.0), 0.02))
    for model in ("homography", "affine"):
        H = scene_motion(two, one, FlowSettings(process_scale=1.0, scene=model))
        assert H is not None
        assert np.abs(cv2.perspectiveTransform(corners, H) - expected).max() < 0.5


@pytest.mark.parametrize("image", ["blank", "unrelated"])
def test_an_unknown_motion_of_the_scene_gives_nothing(image: str) -> None:
    detector, rng = FlowDetector(FlowSettings(interval=1)), np.random.default_rng(0)
    for _ in range(4):
        pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        if image == "unrelated":
            pixels = rng.integers(0, 255, pixels.shape, dtype=np.uint8)
        assert len(detector.detect(pixels)) == 0


def test_reset_and_a_new_size_forget_the_images() -> None:
    scene, detector = Scene(), FlowDetector(FlowSettings(process_scale=1.0, interval=1))

    def look(k: int) -> int:
        return len(
            detector.detect(scene.image(moved(0, (0, 0), 0), np.array([100.0 + 6 * k, 90])))
        )

    assert [look(k) for k in range(3)] == [0, 1, 1]
    detector.reset()
    assert [look(k) for k in range(2)] == [0, 1]
    assert len(detector.detect(np.zeros((100, 100, 3), np.uint8))) == 0
    assert [look(k) for k in range(2)] == [0, 1]


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 3), (9, 9), (40, 40)])
def test_tiny_images_do_no_harm(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for scale in (1.0, 0.05):
        detector = FlowDetector(FlowSettings(process_scale=scale, interval=1, scene_share=0.1))
        for _ in range(3):
            image = rng.integers(0, 255, (*shape, 3), dtype=np.uint8)
            assert np.isfinite(detector.detect(image).bbox).all()


def test_a_longer_interval_shows_slower_things() -> None:
    slow = np.array([0.4, 0.3])
    brief, _ = run(FlowSettings(process_scale=1.0, interval=1), (1.0, 0.0), 0.0, slow)
    long, _ = run(FlowSettings(process_scale=1.0, interval=6), (1.0, 0.0), 0.0, slow)
    assert sum(map(len, brief)) == 0
    assert [len(s) for s in long] == [0] * 6 + [1] * 6


def test_clusters_are_close_and_move_alike() -> None:
    settings = FlowSettings(cluster_radius=10.0, cluster_motion=2.0, corners_min=2)
    uv = np.array([[0.0, 0], [8, 0], [16, 0], [8, 2], [12, 2], [80, 80], [50, 0], [51, 0]])
    motion = np.array([[5.0, 0], [5, 0], [5, 1], [-5, 0], [-5, 0], [5, 0], [5, 0], [5, 0]])
    groups = cluster(uv, motion, settings)
    assert [group.tolist() for group in groups] == [[0, 1, 2], [3, 4], [6, 7]]
    one = cluster(uv, motion, FlowSettings(cluster_radius=10.0, corners_min=2, max_detections=1))
    assert [group.tolist() for group in one] == [[0, 1, 2]]
    assert cluster(np.zeros((0, 2)), np.zeros((0, 2)), settings) == []


def test_convention_the_box_holds_the_centres_of_its_corner_pixels() -> None:
    seen, _ = run(SETTINGS, (0.0, 0.0), 0.0, np.array([2.0, 2.0]))
    for one in seen[2:]:
        left, top, width, height = one.bbox[0]
        assert np.allclose(one.uv[0], [left + width / 2, top + height / 2])
        assert (left + 0.5) % 1 == pytest.approx(0, abs=1e-6)  # corners are whole pixels here


def test_an_image_of_vga_takes_less_than_a_frame_interval() -> None:
    cv2.setNumThreads(1)
    scene, detector = Scene(), FlowDetector(FlowSettings())
    took = []
    for k in range(8):
        at = np.array([130.0 - 2 * k, 90.0])
        image = cv2.resize(scene.image(moved(k, (2.0, 1.0), 0.005), at), (640, 480))
        start = time.process_time()
        detector.detect(image)
        took.append(time.process_time() - start)
    assert min(took[2:]) < 0.033


def test_refuses_a_grey_image() -> None:
    with pytest.raises(ValueError, match=r"image must be of shape \(H, W, 3\)"):
        FlowDetector(FlowSettings()).detect(np.zeros((4, 4), np.uint8))
