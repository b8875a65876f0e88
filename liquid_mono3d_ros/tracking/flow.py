"""Things that move unlike the scene: images of a camera that moves or sways → Detections."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from liquid_mono3d_ros.checks import Array, check_shape
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking.detection import ANCHORS, Detections, anchor_of_boxes

FEWEST = 8
"""Corners that the motion of the scene takes at least, twice what a homography does."""

QUALITY = 0.01
"""Weakest corner that is used, as a share of the strongest."""

RETURN = 0.5
"""A corner followed forth and back must end within this of its start, shrunk px; at the edges of
things, where the surroundings change, it does not."""


@dataclass(frozen=True)
class FlowSettings(Settings):
    """Which corners are followed and when their motion is a thing's own.

    Motion is counted in pixels of the full image between the two images compared.
    """

    process_scale: float = setting(
        0.5,
        "Images are shrunk by this: faster, but small things lose their corners",
        bounds=(0.05, 1),
    )
    interval: int = setting(
        2,
        "Each image is compared with the one this many before; more for slow things",
        unit="images",
        bounds=(1, 30),
    )
    scene: str = setting(
        "homography",
        "How the background moves: homography holds for a camera that turns, or a flat scene;"
        " affine is steadier with few corners",
        choices=("homography", "affine"),
    )
    scene_corners: int = setting(
        300, "Corners from which its motion is estimated", bounds=(20, 5000)
    )
    scene_error: float = setting(
        1.5,
        "Corners within this of the background's motion belong to it",
        unit="px",
        bounds=(0.1, 20),
    )
    scene_share: float = setting(
        0.5,
        "If fewer corners than this agree on one motion, it is unknown and nothing is reported",
        bounds=(0.1, 1),
    )
    difference: float = setting(
        12.0,
        "Grey levels, above the camera's noise: corners are looked for where an image differs by"
        " more from the one before, carried along with the background, and followed to patches"
        " that differ by less",
        bounds=(1, 255),
    )
    max_corners: int = setting(300, "Corners looked for there", bounds=(10, 5000))
    corner_spacing: float = setting(
        4.0, "Smallest distance of two corners", unit="px", bounds=(1, 100)
    )
    window: int = setting(
        11,
        "Side of the patches that are compared, in shrunk px; larger ones mix in what is around",
        unit="px",
        bounds=(5, 61),
    )
    pyramid_levels: int = setting(
        3, "Each doubles the largest motion that can be followed", bounds=(0, 6)
    )
    motion_min: float = setting(
        2.0, "Slower things are taken for the background", unit="px", bounds=(0.2, 200)
    )
    cluster_radius: float = setting(
        30.0,
        "Corners of one thing form a chain with steps up to this",
        unit="px",
        bounds=(2, 1000),
    )
    cluster_motion: float = setting(
        3.0, "Neighbours in it differ in motion by at most this", unit="px", bounds=(0.2, 200)
    )
    corners_min: int = setting(
        3, "Fewer corners are chance; more leave small things out", bounds=(1, 1000)
    )
    max_detections: int = setting(100, "Those with the most corners are kept", bounds=(1, 10000))
    anchor: str = setting("centroid", "Which point of the box is tracked", choices=ANCHORS)
    sigma_px: float = setting(
        6.0,
        "One standard deviation of that point: the box ends at the outermost corners",
        unit="px",
        bounds=(0.1, 1000),
    )


class FlowDetector:
    """Remembers the last images and finds what moves unlike the scene; one per camera.

    The one motion on which most corners of the image agree is taken for that of the scene. An
    earlier image is carried along with it; where the new image still differs, corners are
    followed between the two by pyramidal Lucas-Kanade. Those that are close and move alike are
    one thing. What has no texture is not seen, nor what rests or fills most of the image; a near
    thing before a camera that travels moves unlike the scene too.

    Source: Shi & Tomasi, Good features to track, CVPR 1994; Bouguet, Pyramidal implementation of
    the Lucas-Kanade feature tracker, 2000; Fischler & Bolles, Random sample consensus, 1981.
    """

    def __init__(self, settings: FlowSettings) -> None:
        self.settings = settings
        self._past: deque[Array] = deque(maxlen=settings.interval)

    def reset(self) -> None:
        """Forget the images."""
        self._past.clear()

    def detect(self, image: Array) -> Detections:
        """Find what moves, most corners first; nothing until ``interval`` images were seen.

        Args:
            image: (H, W, 3) uint8 in BGR order; a new size forgets the images before.
        """
        check_shape("image", image, ("H", "W", 3))
        settings = self.settings
        grey = _shrunk_grey(image, settings.process_scale)
        if self._past and self._past[0].shape != grey.shape:
            self.reset()
        before = self._past[0] if len(self._past) == settings.interval else None
        self._past.append(grey)
        H = None if before is None else scene_motion(grey, before, settings)
        if before is None or H is None:
            return Detections.none()
        scale = np.array(image.shape[1::-1]) / grey.shape[1::-1]
        uv, motion = _follow_changes(grey, before, H, settings)
        uv, motion = (uv + 0.5) * scale - 0.5, motion * scale
        moving = np.linalg.norm(motion, axis=1) >= settings.motion_min
        groups = cluster(uv[moving], motion[moving], settings)
        return _to_detections([uv[moving][group] for group in groups], settings)


def scene_motion(grey: Array, before: Array, settings: FlowSettings) -> Array | None:
    """Return where the scene's pixels of an earlier image are now, (3, 3); None if unknown.

    Args:
        grey: The newer image, (H, W) uint8.
        before: The earlier one.
        settings: The model of the motion; its lengths are shrunk with the images.
    """
    now = _corners(grey, settings.scene_corners, 2 * settings.corner_spacing, settings)
    then, found = _follow(grey, before, now, settings)
    now, then = now[found], then[found]
    if len(now) < FEWEST:
        return None
    error = settings.scene_error * settings.process_scale
    if settings.scene == "affine":
        affine, agree = cv2.estimateAffine2D(then, now, ransacReprojThreshold=error)
        H = None if affine is None else np.vstack([affine, [0.0, 0.0, 1.0]])
    else:
        H, agree = cv2.findHomography(then, now, cv2.RANSAC, error)
    known = H is not None and float(np.mean(agree)) >= settings.scene_share
    return np.asarray(H) if known else None


def cluster(uv: Array, motion: Array, settings: FlowSettings) -> list[Array]:
    """Group corners that are close and move alike; return their indices, largest group first.

    Args:
        uv: (N, 2) px.
        motion: Their own motion, (N, 2) px.
        settings: What is close and alike, and the fewest corners of a group.
    """
    if len(uv) == 0:
        return []
    place = np.hstack([uv / settings.cluster_radius, motion / settings.cluster_motion])  # (N, 4)
    pairs = KDTree(place).query_pairs(1.0, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(uv), len(uv)))
    _, label = connected_components(links, directed=False)
    sizes = np.bincount(label)
    kept = np.flatnonzero(sizes >= settings.corners_min)
    kept = kept[np.argsort(-sizes[kept], kind="stable")][: settings.max_detections]
    return [np.flatnonzero(label == number) for number in kept]


def _follow_changes(
    grey: Array, before: Array, H: Array, settings: FlowSettings
) -> tuple[Array, Array]:
    """Return corners where the scene's motion does not explain the image, and their own motion.

    Returns:
        Both (N, 2) shrunk px.
    """
    size = grey.shape[::-1]
    carried = cv2.warpPerspective(before, H, size, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(np.full_like(before, 255), H, size)
    difference = cv2.GaussianBlur(cv2.absdiff(grey, carried), (0, 0), 1.0)
    side = np.ones((settings.window, settings.window), np.uint8)
    changed = cv2.bitwise_and(
        cv2.dilate(np.uint8(255) * (difference >= settings.difference), side),
        cv2.erode(inside, side, borderType=cv2.BORDER_CONSTANT, borderValue=0),
    )
    now = _corners(grey, settings.max_corners, settings.corner_spacing, settings, changed)
    then, found = _follow(grey, carried, now, settings)
    again, refound = _follow(carried, grey, then, settings)
    good = found & refound & (np.linalg.norm(again - now, axis=1) <= RETURN)
    return now[good].astype(float), (now - then)[good].astype(float)


def _corners(
    grey: Array,
    number: int,
    spacing: float,
    settings: FlowSettings,
    mask: Array | None = None,
) -> Array:
    """Return the strongest corners, (N, 2) float32 shrunk px; ``spacing`` in px of the image."""
    spacing *= settings.process_scale
    found = cv2.goodFeaturesToTrack(grey, number, QUALITY, spacing, mask=mask)
    return np.zeros((0, 2), np.float32) if found is None else np.reshape(found, (-1, 2))


def _follow(image: Array, other: Array, uv: Array, settings: FlowSettings) -> tuple[Array, Array]:
    """Return where pixels of an image are in another, (N, 2), and whether that was found."""
    if len(uv) == 0:
        return uv, np.zeros(0, dtype=bool)
    there, found, unlike = cv2.calcOpticalFlowPyrLK(
        image,
        other,
        uv,
        np.zeros_like(uv),
        winSize=(settings.window, settings.window),
        maxLevel=settings.pyramid_levels,
    )
    alike = np.ravel(unlike) <= settings.difference
    return np.asarray(there), (np.ravel(found) == 1) & alike


def _shrunk_grey(image: Array, scale: float) -> Array:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if scale == 1:
        return np.asarray(grey)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def _to_detections(groups: list[Array], settings: FlowSettings) -> Detections:
    if not groups:
        return Detections.none()
    low = np.array([uv.min(axis=0) for uv in groups]) - 0.5
    high = np.array([uv.max(axis=0) for uv in groups]) + 0.5
    bbox = np.hstack([low, high - low])  # (N, 4)
    return Detections.at(anchor_of_boxes(bbox, settings.anchor), settings.sigma_px, bbox)
