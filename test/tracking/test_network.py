from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import cv2
import networks
import numpy as np
import pytest

from liquid_mono3d_ros.records import SECOND, Frame, State
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker, TrackingSettings
from liquid_mono3d_ros.tracking.network import NetworkDetector, OnnxSettings, letterbox

SIDE = 64
BOX = (30.0, 24.0, 8.0, 6.0)
"""Centre and size in the network's input."""


@pytest.fixture(params=["opencv", "onnxruntime"])
def runtime(request: pytest.FixtureRequest) -> str:
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return str(request.param)


@pytest.fixture
def detector(tmp_path: Path, runtime: str):
    """Return a maker of detectors whose network puts out a table of boxes."""

    def make(table: Any, *, names: str = "", **settings: Any) -> NetworkDetector:
        path = networks.constant(tmp_path / "net.onnx", np.asarray(table), names=names)
        return NetworkDetector(OnnxSettings(path=path, runtime=runtime, **settings))

    return make


def blank(width: int = SIDE, height: int = SIDE) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_from_images_to_tracks(tmp_path: Path, runtime: str) -> None:
    path = networks.spotter(tmp_path / "net.onnx", names="{0: 'lamp'}")
    settings = {"detector": "onnx", "onnx.path": path, "onnx.runtime": runtime}
    tracker = CameraTracker(
        "left", TrackingSettings.from_flat({**settings, "onnx.score_min": 0.5})
    )
    for k in range(7):  # along the middles of the network's cells, which are 20 px wide
        image = blank(160, 120)  # fills 48 of 64 rows of the input
        cv2.rectangle(image, (8 + 20 * k, 68), (12 + 20 * k, 72), (255, 0, 0), -1)
        tracks = tracker.update(Frame("left", k * SECOND // 10, image))
    assert tracks.track_id.tolist() == [1]
    assert tracks.state.tolist() == [State.CONFIRMED]
    assert tracks.class_id == ("lamp",)
    assert tracks.score == pytest.approx([1.0], abs=0.01)
    assert np.abs(tracks.uv[0] - (129.5, 69.5)).max() < 1
    assert tracks.velocity[0] == pytest.approx([200, 0], abs=10)


def test_both_runtimes_agree(tmp_path: Path, rng: np.random.Generator) -> None:
    pytest.importorskip("onnxruntime")
    path = networks.spotter(tmp_path / "net.onnx")
    image = rng.integers(0, 255, (100, 140, 3), dtype=np.uint8)
    one, two = (
        NetworkDetector(OnnxSettings(path=path, runtime=name)).detect(image)
        for name in ("opencv", "onnxruntime")
    )
    assert len(one) > 10
    np.testing.assert_allclose(one.bbox, two.bbox)
    np.testing.assert_allclose(one.score, two.score, atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "table"),
    [
        ("v5", [[(*BOX, 0.8, 0.1, 1.0)]]),
        ("v8", np.transpose([[(*BOX, 0.1, 0.8)]], (0, 2, 1))),
        ("end2end", [[(26, 21, 34, 27, 0.8, 1)]]),
    ],
)
def test_convention_networks_count_from_the_corner(detector, layout: str, table: Any) -> None:
    seen = detector(table, layout=layout, classes=("dog", "ball")).detect(blank())
    np.testing.assert_allclose(seen.bbox, [[25.5, 20.5, 8, 6]], atol=1e-4)
    np.testing.assert_allclose(seen.uv, [[29.5, 23.5]], atol=1e-4)
    assert seen.score == pytest.approx([0.8])
    assert seen.class_id == ("ball",)
    assert seen.sigma_px.tolist() == [3.0]


def test_the_image_is_fitted_into_the_input() -> None:
    image = np.zeros((30, 120, 3), np.uint8)
    image[:, :60] = (250, 100, 50)
    blob, gain, shift = letterbox(image, (64, 64))
    assert blob.shape == (1, 3, 64, 64)
    assert blob.dtype == np.float32
    np.testing.assert_allclose(gain, [64 / 120, 16 / 30])
    assert shift.tolist() == [0, 24]
    np.testing.assert_allclose(blob[0, :, 32, 10], np.array([50, 100, 250]) / 255)
    np.testing.assert_allclose(blob[0, :, 10, 10], 114 / 255)
    tall = letterbox(np.zeros((90, 30, 3), np.uint8), (48, 64))
    assert tall[2].tolist() == [24, 0]


def test_anchor_class_and_size_are_chosen(detector) -> None:
    table = [[(26, 21, 34, 27, 0.8, 0), (2, 2, 60, 60, 0.7, 1), (5, 5, 9, 9, 0.6, 7)]]
    names = "['ball', 'dog']"
    seen = detector(table, names=names).detect(blank())
    assert seen.class_id == ("ball", "dog", "7")
    assert detector(table, names=names, wanted=("ball",)).detect(blank()).class_id == ("ball",)
    assert detector(table, area_max=100.0).detect(blank()).class_id == ("0", "7")
    assert detector(table, area_min=40.0).detect(blank()).class_id == ("0", "1")
    assert detector(table, max_detections=1).detect(blank()).class_id == ("0",)
    assert detector(table, score_min=0.65).detect(blank()).class_id == ("0", "1")
    top = detector(table, anchor="top", max_detections=1).detect(blank())
    np.testing.assert_allclose(top.uv, [[29.5, 20.5]])


def test_overlaps_are_removed_but_not_of_end2end(detector) -> None:
    rows = [(*BOX, 1.0, 0.8), (BOX[0] + 1, *BOX[1:], 1.0, 0.7)]
    assert len(detector([rows], layout="v5").detect(blank())) == 1
    rows = [(26, 21, 34, 27, 0.8, 0), (27, 21, 35, 27, 0.7, 0)]
    assert len(detector([rows]).detect(blank())) == 2


def test_an_input_that_is_left_open_gets_its_size(tmp_path: Path, runtime: str) -> None:
    path = networks.constant(
        tmp_path / "net.onnx", [[(26, 21, 34, 27, 0.8, 0)]], shape=(1, 3, 0, 0)
    )
    seen = NetworkDetector(OnnxSettings(path=path, runtime=runtime, input_size=32))
    np.testing.assert_allclose(seen.detect(blank(64, 64)).bbox, [[51.5, 41.5, 12, 12]])


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 64, 64, 3), (4, 3, 64, 64), ()])
def test_another_input_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = networks.constant(tmp_path / "net.onnx", [[(*BOX, 1, 1)]], shape=shape)
    with pytest.raises(ValueError, match=r"net\.onnx' must be a network with input \(1, 3, h"):
        NetworkDetector(OnnxSettings(path=path))


def test_a_quantised_input_is_refused(tmp_path: Path) -> None:
    path = networks.constant(tmp_path / "net.onnx", [[(*BOX, 1, 1)]], element=networks.UINT8)
    with pytest.raises(ValueError, match=r"net\.onnx' must be a network with float input"):
        NetworkDetector(OnnxSettings(path=path))


def test_another_output_is_refused_at_the_start(detector) -> None:
    with pytest.raises(
        ValueError, match=r"net\.onnx': its output must be of shape .*; got \(1, 9"
    ):
        detector(np.zeros((1, 9, 4)))
    with pytest.raises(ValueError, match=r"net\.onnx': its output must be of 9 classes; got 2"):
        detector(np.zeros((1, 20, 7)), classes=tuple("abcdefghi"))


def test_a_network_that_the_runtime_refuses_is_named(tmp_path: Path, runtime: str) -> None:
    path = networks.unknown(tmp_path / "odd.onnx")
    with pytest.raises(ValueError, match=rf"odd\.onnx' must be a network that {runtime} can run"):
        NetworkDetector(OnnxSettings(path=path, runtime=runtime))


def test_a_missing_file_or_path_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"onnx\.path '' must be an ONNX file"):
        CameraTracker("left", TrackingSettings(detector="onnx"))


def test_a_missing_runtime_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = networks.spotter(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"onnx\.runtime must be opencv or auto where onnxrunt"):
        NetworkDetector(OnnxSettings(path=path, runtime="onnxruntime"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert len(NetworkDetector(OnnxSettings(path=path)).detect(blank())) == 0
