"""Things that a network knows: images → Detections, by an ONNX file of the user's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.settings import Settings, setting
from liquid_mono3d_ros.tracking.boxes import LAYOUTS, Boxes, choose_layout, decode, remove_overlaps
from liquid_mono3d_ros.tracking.components import check_areas
from liquid_mono3d_ros.tracking.detection import ANCHORS, Detections, anchor_of_boxes
from liquid_mono3d_ros.tracking.onnx_file import FLOAT, FLOAT16, OnnxInput, read_onnx_input

GREY = 114
"""What fills the input beside the image; YOLO networks are trained with it."""

Network = Callable[[Array], Array]
"""From an input (1, 3, height, width) to the first output."""


@dataclass(frozen=True)
class OnnxSettings(Settings):
    """Which network, what runs it, and which of its boxes count."""

    path: str = setting(
        "", "Of the ONNX file of a YOLO-like detector; none comes with the package"
    )
    runtime: str = setting(
        "auto",
        "What runs it; auto takes onnxruntime where it is installed, else OpenCV",
        choices=("auto", "onnxruntime", "opencv"),
    )
    threads: int = setting(
        1, "Of onnxruntime, for each camera; 0: one for each core", bounds=(0, 256)
    )
    layout: str = setting(
        "auto",
        "Of the output: v5 (1, N, 5 + classes), v8 (1, 4 + classes, N), end2end (1, N, 6) as"
        " YOLOv10; auto guesses by the shape",
        choices=("auto", *LAYOUTS),
    )
    input_size: int = setting(
        640,
        "Side of the square input, if the file leaves it open; YOLO wants a multiple of 32",
        unit="px",
        bounds=(32, 4096),
    )
    score_min: float = setting(0.25, "Boxes with a lower score are left out", bounds=(0.001, 1))
    overlap_max: float = setting(
        0.45,
        "Of two boxes of a class whose intersection over union is larger the better one stays;"
        " end2end networks do so themselves",
        bounds=(0, 1),
    )
    classes: tuple[str, ...] = setting(
        (),
        "Words for the classes, in the network's order; empty: those the file holds, or numbers",
    )
    wanted: tuple[str, ...] = setting((), "Words of the classes that count; empty: all")
    area_min: float = setting(1.0, "Smaller boxes are left out", unit="px^2", bounds=(1, 1e8))
    area_max: float = setting(1e8, "Larger boxes are left out", unit="px^2", bounds=(1, 1e8))
    max_detections: int = setting(100, "Those with the best score are kept", bounds=(1, 10000))
    anchor: str = setting("centroid", "Which point of the box is tracked", choices=ANCHORS)
    sigma_px: float = setting(
        3.0,
        "One standard deviation of that point; boxes of large things are less exact",
        unit="px",
        bounds=(0.1, 1000),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_areas(self.area_min, self.area_max)


class NetworkDetector:
    """Looks at each image by itself with a network; one per camera, which may move.

    The image is shrunk or enlarged to fit into the network's input, with grey beside it. The
    network runs once on a blank image, so that one that does not fit is refused at the start.

    Convention: networks count pixels from the corner of the top-left pixel, Detections from its
    centre.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the runtime asked for is not installed.
        ValueError: If the file is no such network; the sentence names its path.
    """

    def __init__(self, settings: OnnxSettings) -> None:
        self.settings = settings
        source = read_onnx_input(settings.path)
        self._size = input_size(source, settings)
        self._classes = settings.classes or source.classes
        self._network = load_network(source, settings)
        self.detect(np.zeros((*self._size, 3), np.uint8))

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    def detect(self, image: Array) -> Detections:
        """Find what the network knows, the best score first.

        Args:
            image: (H, W, 3) uint8 in BGR order.

        Raises:
            ValueError: If the network's output has another layout.
        """
        check_shape("image", image, ("H", "W", 3))
        settings = self.settings
        blob, gain, shift = letterbox(image, self._size)
        output = self._network(blob)
        try:
            layout = choose_layout(output, settings.layout)
            boxes = decode(
                output, layout, score_min=settings.score_min, num_classes=len(self._classes)
            )
        except ValueError as error:
            raise ValueError(f"onnx.path {settings.path!r}: {error}") from None
        boxes = self._chosen(boxes.moved(gain, shift).clipped(image.shape))
        overlap_max = 1.0 if layout == "end2end" else settings.overlap_max
        return self._to_detections(remove_overlaps(boxes, overlap_max, settings.max_detections))

    def _chosen(self, boxes: Boxes) -> Boxes:
        """Return the boxes of the size and the classes asked for."""
        wanted = self.settings.wanted
        right = [not wanted or self._word(i) in wanted for i in boxes.index]
        fits = (boxes.area >= self.settings.area_min) & (boxes.area <= self.settings.area_max)
        return boxes.rows(fits & np.array(right, dtype=bool))

    def _to_detections(self, boxes: Boxes) -> Detections:
        low, high = boxes.corners[:, :2], boxes.corners[:, 2:]
        bbox = np.hstack([low - 0.5, high - low])  # (N, 4), from the corner to the centre
        return Detections(
            uv=anchor_of_boxes(bbox, self.settings.anchor),
            sigma_px=np.full(len(boxes), self.settings.sigma_px),
            bbox=bbox,
            score=boxes.score,
            class_id=tuple(self._word(i) for i in boxes.index),
        )

    def _word(self, index: int) -> str:
        return self._classes[index] if 0 <= index < len(self._classes) else str(index)


def letterbox(image: Array, size: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Fit an image into a network's input, centred, without changing its proportions.

    Args:
        image: (H, W, 3) uint8 in BGR order.
        size: Height and width of the input, px.

    Returns:
        Input (1, 3, height, width) float32 of 0 to 1 in RGB order; and gain (2,) and shift (2,)
        along x and y, with which the image's pixels become the input's, counted from the corner.
    """
    height, width = size
    ratio = min(height / image.shape[0], width / image.shape[1])
    wide, high = (max(1, round(ratio * length)) for length in image.shape[1::-1])
    left, top = (width - wide) // 2, (height - high) // 2
    canvas = np.full((height, width, 3), GREY, np.uint8)
    canvas[top : top + high, left : left + wide] = cv2.resize(image, (wide, high))
    blob = cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)
    gain = np.array([wide / image.shape[1], high / image.shape[0]])
    return np.asarray(blob), gain, np.array([left, top], dtype=float)


def input_size(source: OnnxInput, settings: OnnxSettings) -> tuple[int, int]:
    """Return height and width of a network's input.

    Raises:
        ValueError: If the input is no image, or not of floating-point numbers.
    """
    argument = f"onnx.path {settings.path!r}"
    shape = source.shape
    if len(shape) != 4 or shape[0] not in (0, 1) or shape[1] not in (0, 3):
        rule, got = "a network with input (1, 3, height, width)", f"{shape}"
        cure = "Export it with one image per batch and channels first."
        raise ValueError(complain(argument, rule, got, cure))
    if source.element not in (FLOAT, FLOAT16):
        rule, got = "a network with float input", f"element type {source.element}"
        raise ValueError(complain(argument, rule, got, "Export it unquantised."))
    return shape[2] or settings.input_size, shape[3] or settings.input_size


def load_network(source: OnnxInput, settings: OnnxSettings) -> Network:
    """Return a network that is ready to run.

    Raises:
        ImportError: If onnxruntime is asked for and not installed.
        ValueError: If the runtime refuses the file.
    """
    runtime = settings.runtime
    if runtime == "auto":
        runtime = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "opencv"
    load = _with_onnxruntime if runtime == "onnxruntime" else _with_opencv
    dtype = np.float16 if source.element == FLOAT16 else np.float32
    try:
        network = load(source.name, settings)
        network(np.zeros((1, 3, *input_size(source, settings)), dtype))
    except ImportError:
        rule, cure = "opencv or auto where onnxruntime is missing", "pip install onnxruntime."
        raise ImportError(complain("onnx.runtime", rule, "'onnxruntime'", cure)) from None
    except Exception as error:  # each runtime has its own
        reason = " ".join(str(error).split())[:300]
        cure = "Try the other onnx.runtime, or export the network for an older opset."
        rule = f"a network that {runtime} can run"
        raise ValueError(complain(f"onnx.path {settings.path!r}", rule, reason, cure)) from error
    return lambda blob: network(blob.astype(dtype, copy=False))


def _with_onnxruntime(name: str, settings: OnnxSettings) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    session = onnxruntime.InferenceSession(
        settings.path, options, providers=onnxruntime.get_available_providers()
    )
    return lambda blob: np.asarray(session.run(None, {name: blob})[0])


def _with_opencv(name: str, settings: OnnxSettings) -> Network:
    network = cv2.dnn.readNetFromONNX(settings.path)
    outputs = network.getUnconnectedOutLayersNames()

    def run(blob: Array) -> Array:
        network.setInput(blob)
        return np.asarray(network.forward(outputs)[0])

    return run
