"""A rig that was knocked, repaired while the node runs: its last tracks, and a thread for them."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.calibration.gathering import gather
from liquid_mono3d_ros.calibration.pose_problem import Change
from liquid_mono3d_ros.calibration.refinement import Refinement, refine_rig
from liquid_mono3d_ros.calibration.suspicion import AGREE
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rig import Rig, load_rig, save_rig
from liquid_mono3d_ros.geometry.schedule import EpochGuard, Verdict
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings
from liquid_mono3d_ros.graph import TriangulationNodeSettings
from liquid_mono3d_ros.records import Tracks2D, nanoseconds

MOST = 20_000
"""Images remembered at most: 20 s of eight cameras at 120 Hz."""
NOT_CONFIGURED = "the node is not configured: configure it first."


class TrackMemory:
    """Remembers the tracks of the last seconds, of one run of the clock.

    Args:
        duration: How far back, by stamps, s; 0 remembers nothing.
    """

    def __init__(self, duration: float) -> None:
        self._duration = nanoseconds(duration)
        self._guard = EpochGuard()
        self._images: deque[Tracks2D] = deque(maxlen=MOST)

    def reset(self) -> None:
        """Forget every image."""
        self._guard.reset()
        self._images.clear()

    def add(self, tracks: Tracks2D) -> None:
        """Remember an image and forget those that are too old."""
        verdict = self._guard.admit(tracks.camera, tracks.stamp)
        if not self._duration or verdict in (Verdict.DUPLICATE, Verdict.STALE):
            return
        if verdict is Verdict.NEW_EPOCH:
            self._images.clear()
        self._images.append(tracks)
        while tracks.stamp - self._images[0].stamp > self._duration:
            self._images.popleft()

    def images(self) -> list[Tracks2D]:
        """Return what is remembered, in the order of the stamps."""
        return sorted(self._images, key=lambda tracks: tracks.stamp)


class Outcome(Enum):
    """Of a repair; the values are names of counters."""

    REFINED = "refined"
    AGREED = "refine_agreed"
    FAILED = "refine_failed"


@dataclass(frozen=True)
class Repair:
    """What came of it: a sentence, and the rig to use from now on; the old one unless refined."""

    outcome: Outcome
    rig: Rig
    sentence: str


def repair(rig: Rig, tracks: Iterable[Tracks2D], settings: GeometrySettings) -> Repair:
    """Return the rig with the cameras that disagree moved to where their tracks fit.

    Args:
        rig: As it is believed to be; its cameras do not move.
        tracks: Of all cameras, in the order of their stamps.
        settings: Of the running triangulation.
    """
    try:
        seen = gather(rig, tracks, replace(settings, sync="interpolate"))
        found = refine_rig(rig, seen)
    except (ValueError, np.linalg.LinAlgError) as error:
        return Repair(Outcome.FAILED, rig, f"nothing could be said: {error}")
    if not found.changes:
        return _unchanged(rig, found)
    worse = [name for name in found.changes if not found.after_px[name] < found.before_px[name]]
    if worse:
        names, cure = ", ".join(worse), "Calibrate again."
        sentence = f"nothing was changed: no other pose of {names} fits better. {cure}"
        return Repair(Outcome.FAILED, rig, sentence)
    return Repair(Outcome.REFINED, found.rig, _changed(found))


def write_rig(repaired: Rig, original: str, path: str) -> None:
    """Write a rig file with the repaired cameras; the other cameras and the world stay."""
    rig = load_rig(original)
    save_rig(replace(rig, cameras={**rig.cameras, **repaired.cameras}), path)


def _unchanged(rig: Rig, found: Refinement) -> Repair:
    residuals = ", ".join(f"{name} {px:.1f}" for name, px in found.before_px.items())
    if found.misfit > AGREE:
        sentence = (
            f"nothing was changed: the residuals ({residuals} px) are {found.misfit:.1f} times"
            " what the noise explains, but no one camera is to blame. Calibrate again."
        )
        return Repair(Outcome.FAILED, rig, sentence)
    return Repair(Outcome.AGREED, rig, f"all cameras agree within their noise: {residuals} px.")


def _changed(found: Refinement) -> str:
    cameras = "; ".join(
        f"{name} was {_words(change)}: residual {found.before_px[name]:.1f} px before, "
        f"{found.after_px[name]:.1f} px after"
        for name, change in found.changes.items()
    )
    if len(found.held) > 1:
        return f"{cameras}."
    return (
        f"{cameras}; with {found.held[0]} alone to compare with, nobody knows which one moved, nor"
        " how far apart they are."
    )


def _words(change: Change) -> str:
    words = f"turned by {math.degrees(change.turn[0]):.2f} deg"
    if not np.isnan(change.shift[1]):
        words += f", moved by {1e3 * change.shift[0]:.0f} mm"
    if not np.isnan(change.clock[1]):
        words += f", its clock by {1e3 * change.clock[0]:+.1f} ms"
    return words


class StoppedError(Exception):
    """The repairer was stopped while it worked."""


class Repairer:
    """Remembers the last tracks and repairs the rig with them, in a thread of its own.

    Args:
        settings: Of the node.
        done: Called from that thread with what came of it, unless it was stopped.

    Attributes:
        memory: Of the tracks.
        last: What came of the last repair, or that it runs; empty before the first.

    Raises:
        ValueError: If the repaired rig is to be written where there is no directory.
    """

    def __init__(
        self, settings: TriangulationNodeSettings, done: Callable[[Repair], None]
    ) -> None:
        if not Path(settings.refined_rig).parent.is_dir():
            rule, got = "in a directory that exists", f"'{settings.refined_rig}'"
            raise ValueError(complain("refined_rig", rule, got, "Create it first."))
        self._settings = settings
        self._done = done
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.memory = TrackMemory(settings.refine_memory if settings.extrinsics == "rig" else 0.0)
        self.last = ""

    @property
    def busy(self) -> bool:
        """Whether a repair is running."""
        return self._thread is not None and self._thread.is_alive()

    def refusal(self) -> str:
        """Return why no repair can begin now; nothing if one can."""
        settings = self._settings
        if self._stopping.is_set():
            return NOT_CONFIGURED
        if settings.extrinsics == "tf" and settings.moving_cameras:
            cure = "A camera that TF moves from image to image has no one pose to repair."
            return complain("moving_cameras", "false", "true", cure)
        if settings.extrinsics != "rig":
            cure = "Give the cameras in a rig file: only that is repaired."
            return complain("extrinsics", "rig", settings.extrinsics, cure)
        if not settings.refine_memory:
            cure = "Set it and start the node again."
            return complain("refine_memory", "more than 0 s", "0", cure)
        if self.busy:
            return "a repair is running: the log and /diagnostics will tell what comes of it."
        return ""

    def start(self, rig: Rig) -> str:
        """Begin a repair, which nothing may refuse, and say so."""
        tracks = self.memory.images()
        self.last = begun = f"running, with {len(tracks)} images"
        self._thread = threading.Thread(target=self._run, args=(rig, tracks), daemon=True)
        self._thread.start()
        return f"{begun}: the log and /diagnostics will tell what comes of it."

    def stop(self) -> None:
        """End the thread; what it found is not used."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, rig: Rig, tracks: Sequence[Tracks2D]) -> None:
        try:
            found = repair(rig, self._until_stopped(tracks), self._settings)
        except StoppedError:
            return
        if self._stopping.is_set():
            return
        if found.outcome is Outcome.REFINED and self._settings.refined_rig:
            found = replace(found, sentence=f"{found.sentence} {self._written(found.rig)}")
        self.last = found.sentence
        self._done(found)

    def _written(self, rig: Rig) -> str:
        path = self._settings.refined_rig
        try:
            write_rig(rig, self._settings.rig, path)
        except (OSError, ValueError) as error:
            return f"The rig is used but was not written to {path}: {error}"
        return f"The rig was written to {path}."

    def _until_stopped(self, tracks: Sequence[Tracks2D]) -> Iterator[Tracks2D]:
        for one in tracks:
            if self._stopping.is_set():
                raise StoppedError
            yield one
