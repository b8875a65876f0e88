"""Frames of all cameras of a rig in order of their stamps: from videos, or of a made-up world."""

from __future__ import annotations

import contextlib
import heapq
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from typing import Protocol

import cv2
import numpy as np

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.records import SECOND, Frame, nanoseconds, seconds
from liquid_mono3d_ros.synth.paths import Path
from liquid_mono3d_ros.synth.render import Colour, PixelNoise, render, textured_background

ORIGIN = SECOND
"""Stamp at which every recording starts, ns: to ROS a stamp of 0 means that there is none."""


class Recording(Protocol):
    """Frames of every camera, oldest first; can be iterated again from the start."""

    @property
    def rig(self) -> Rig:
        """The cameras."""

    @property
    def duration(self) -> float:
        """From the origin to when the next frame would come, s."""

    @property
    def num_frames(self) -> int:
        """Of all cameras together."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order of their stamps; of equal stamps, in the rig's order."""


@dataclass(frozen=True)
class VideoRecording:
    """Video files, one per camera, decoded as they are needed.

    Frame i of a file is stamped ``ORIGIN + i / rate``. ``stride`` 2 with ``phase`` 0 for one
    camera and 1 for another takes even and odd frames: cameras that run freely, made of a
    synchronised recording. A file's rotation flag is not followed unless ``follow_rotation``; the
    images must have the size for which the camera is calibrated.

    Attributes:
        rig: The cameras.
        paths: Camera → file. A camera without a file gives no frames.
        rate: Of the files, Hz; 0 for what each file says.
        stride: Take every n-th frame.
        phase: Camera → index of the first frame taken; 0 where it is not given.
        follow_rotation: Turn the images as the file's rotation flag says.
    """

    rig: Rig
    paths: Mapping[str, str | FilePath]
    rate: float = 0.0
    stride: int = 1
    phase: Mapping[str, int] = field(default_factory=dict)
    follow_rotation: bool = False

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError(complain("paths", "of one camera or more", "none", "Name a video."))
        _check_cameras("paths", self.paths, self.rig)
        _check_cameras("phase", self.phase, self.rig)
        if self.stride < 1:
            cure = "1 takes every frame."
            raise ValueError(complain("stride", "1 or more", f"{self.stride}", cure))
        for name, path in self.paths.items():
            if not FilePath(path).is_file():
                got = f"{path} for {name}"
                raise FileNotFoundError(
                    complain("paths", "existing files", got, "Check the path.")
                )

    @property
    def duration(self) -> float:
        """From the origin to when the next frame would come, s."""
        return max(count / rate for count, rate in self._files.values())

    @property
    def num_frames(self) -> int:
        """Of all cameras together, by the files' headers."""
        return sum(
            len(range(self.phase.get(name, 0), count, self.stride))
            for name, (count, _) in self._files.items()
        )

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order of their stamps; of equal stamps, in the rig's order."""
        streams = [self._decode(self.rig.cameras[name]) for name in self._files]
        return heapq.merge(*streams, key=lambda frame: frame.stamp)

    @cached_property
    def _files(self) -> dict[str, tuple[int, float]]:
        """Camera → number of frames in the file, rate in Hz; in the rig's order."""
        files = {}
        for name in self.rig.cameras:
            if name in self.paths:
                capture = self._open(name)
                count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
                rate = self.rate or capture.get(cv2.CAP_PROP_FPS)
                capture.release()
                if count < 1 or not rate > 0:
                    got = f"{self.paths[name]} with {count} frames at {rate:g} Hz"
                    raise ValueError(
                        complain("paths", "videos with frames and a rate", got, "Give the rate.")
                    )
                files[name] = count, rate
        return files

    def _open(self, name: str) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.paths[name]))
        if not capture.isOpened():
            got = f"{self.paths[name]} for {name}"
            raise ValueError(
                complain("paths", "videos that OpenCV can read", got, "Convert it with ffmpeg.")
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, float(self.follow_rotation))
        return capture

    def _decode(self, camera: Camera) -> Iterator[Frame]:
        count, rate = self._files[camera.name]
        first = self.phase.get(camera.name, 0)
        capture = self._open(camera.name)
        try:
            for index in range(count):
                if not capture.grab():
                    return
                if index < first or (index - first) % self.stride:
                    continue
                decoded, image = capture.retrieve()
                if not decoded:
                    return
                _check_size(camera, image)
                yield Frame(
                    camera.name, ORIGIN + round(index * SECOND / rate), image, camera.frame_id
                )
        finally:
            capture.release()


@dataclass(frozen=True)
class SyntheticRecording:
    """A ball on a known path, before a still background, seen by every camera of the rig.

    An image of stamp s shows the world at ``s + time_offset`` of its camera, row by row if the
    camera has a readout time. Images are rendered as they are needed; ``prerender`` keeps them.

    Attributes:
        rig: The cameras.
        path: Of the ball's centre; its time 0 is the origin.
        duration: s.
        rate: Camera → Hz, or one for all.
        phase: Camera → delay of its first frame, s; 0 where it is not given.
        radius: Of the ball, m.
        colour: Of the ball, BGR.
        noise: Standard deviation of the pixels, grey levels.
        seed: Of noise and backgrounds.
    """

    rig: Rig
    path: Path
    duration: float = 4.0
    rate: float | Mapping[str, float] = 30.0
    phase: Mapping[str, float] = field(default_factory=dict)
    radius: float = 0.05
    colour: Colour = (170, 160, 20)
    noise: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check_cameras("phase", self.phase, self.rig)
        rates = self.rate.values() if isinstance(self.rate, Mapping) else (self.rate,)
        if isinstance(self.rate, Mapping):
            _check_cameras("rate", self.rate, self.rig)
            if len(self.rate) < len(self.rig.cameras):
                missing = ", ".join(set(self.rig.cameras) - set(self.rate))
                raise ValueError(
                    complain("rate", "of every camera", f"none for {missing}", "Give one each.")
                )
        for name, values in (("rate", rates), ("duration", (self.duration,))):
            if not min(values) > 0:
                raise ValueError(
                    complain(name, "positive", f"{min(values):g}", "Choose a larger number.")
                )

    @property
    def num_frames(self) -> int:
        """Of all cameras together."""
        return sum(len(stamps) for stamps in self._stamps.values())

    def truth(self, stamp: int) -> tuple[Array, Array]:
        """Return position (3,) m and velocity (3,) m/s of the ball at a true time, ns."""
        t = np.array([seconds(stamp - ORIGIN)])
        return self.path.xyz(t)[0], self.path.velocity(t)[0]

    def prerender(self) -> StoredRecording:
        """Return the same frames, kept in memory."""
        return store(self)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order of their stamps; of equal stamps, in the rig's order."""
        streams = [self._film(k, camera) for k, camera in enumerate(self.rig.cameras.values())]
        return heapq.merge(*streams, key=lambda frame: frame.stamp)

    @cached_property
    def _stamps(self) -> dict[str, list[int]]:
        """Camera → stamps from its phase on, before the end."""
        stamps = {}
        for name in self.rig.cameras:
            rate = self.rate[name] if isinstance(self.rate, Mapping) else self.rate
            phase = self.phase.get(name, 0.0)
            count = max(0, int(np.ceil((self.duration - phase) * rate - 1e-9)))
            stamps[name] = [ORIGIN + nanoseconds(phase + k / rate) for k in range(count)]
        return stamps

    def _film(self, number: int, camera: Camera) -> Iterator[Frame]:
        seed = self.seed + 1000 * number
        background = textured_background(camera.width, camera.height, seed=seed)
        noise = PixelNoise.of(camera, self.noise, seed=seed) if self.noise else None
        rng = np.random.default_rng(seed)
        radius = np.array([self.radius])
        for stamp in self._stamps[camera.name]:
            xyz = self._exposed(camera, stamp)[None]  # (1, 3)
            image = render(camera, xyz, radius, self.colour, background)
            if noise:
                image = noise.add_to(image, rng)
            yield Frame(camera.name, stamp, image, camera.frame_id)

    def _exposed(self, camera: Camera, stamp: int) -> Array:
        """Return where the ball is when the row that shows it is exposed, (3,) m."""
        stamp += nanoseconds(camera.time_offset)
        delay = 0.0
        for _ in range(3 if camera.readout else 1):
            xyz = self.truth(stamp + nanoseconds(delay))[0]
            row = camera.project(xyz[None])[0, 1]
            if not np.isfinite(row):
                break
            delay = (row / camera.height - 0.5) * camera.readout
        return xyz


@dataclass(frozen=True)
class StoredRecording:
    """Frames in memory: 3 · width · height bytes each."""

    rig: Rig
    frames: tuple[Frame, ...]
    duration: float

    @property
    def num_frames(self) -> int:
        """Of all cameras together."""
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order of their stamps."""
        return iter(self.frames)


def store(recording: Recording) -> StoredRecording:
    """Read a recording into memory."""
    return StoredRecording(recording.rig, tuple(recording), recording.duration)


@dataclass(frozen=True)
class Looped:
    """A recording played several times, with stamps that go on; the world jumps in between."""

    recording: Recording
    times: int

    @property
    def rig(self) -> Rig:
        """The cameras."""
        return self.recording.rig

    @property
    def duration(self) -> float:
        """From the origin to when the next frame would come, s."""
        return self.times * self.recording.duration

    @property
    def num_frames(self) -> int:
        """Of all cameras and rounds together."""
        return self.times * self.recording.num_frames

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order of their stamps."""
        for played in range(self.times):
            later = nanoseconds(played * self.recording.duration)
            for frame in self.recording:
                yield replace(frame, stamp=frame.stamp + later)


def back_and_forth(recording: Recording) -> StoredRecording:
    """Return a recording followed by its mirror image in time, in memory: it ends as it began.

    Stamps stay as far apart as they were, and the turning point is shown once.
    """
    forth = tuple(recording)
    last = forth[-1].stamp
    back = tuple(
        replace(frame, stamp=2 * last - frame.stamp)
        for frame in reversed(forth)
        if frame.stamp < last
    )
    rest = recording.duration - seconds(last - ORIGIN)
    return StoredRecording(recording.rig, forth + back, 2 * seconds(last - ORIGIN) + rest)


def read_ahead(frames: Iterable[Frame], depth: int = 3) -> Iterator[Frame]:
    """Yield frames that a thread of its own decodes meanwhile, at most ``depth`` ahead.

    What the decoding raises is raised here; leaving the iteration ends the thread.
    """
    waiting: queue.Queue[Frame | BaseException | None] = queue.Queue(depth)
    left = threading.Event()

    def put(item: Frame | BaseException | None) -> None:
        while not left.is_set():
            with contextlib.suppress(queue.Full):
                return waiting.put(item, timeout=0.1)

    def decode() -> None:
        try:
            for frame in frames:
                put(frame)
                if left.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=decode, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        thread.join()  # one that decodes while the interpreter ends aborts the process


def _check_cameras(argument: str, named: Mapping[str, object], rig: Rig) -> None:
    unknown = ", ".join(name for name in named if name not in rig.cameras)
    if unknown:
        rule = f"among the rig's cameras {', '.join(rig.cameras)}"
        raise ValueError(complain(argument, rule, unknown, "Check the names."))


def _check_size(camera: Camera, image: Array) -> None:
    height, width = image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        rule = f"{camera.width}x{camera.height} as calibrated"
        cure = "Use the calibration of this size, or follow_rotation if the file is turned."
        raise ValueError(complain(f"{camera.name} images", rule, f"{width}x{height}", cure))
