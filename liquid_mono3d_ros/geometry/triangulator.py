"""Tracks2D of N cameras in, Points3D out, live.

Each image goes through the epoch guard into its camera's buffer; when an instant is due, the
tracks of all cameras are evaluated there, undistorted, associated and triangulated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.association import Associator
from liquid_mono3d_ros.geometry.clock import ClockSettings
from liquid_mono3d_ros.geometry.clock_watch import ClockWatch
from liquid_mono3d_ros.geometry.health import CameraHealth, HealthMonitor
from liquid_mono3d_ros.geometry.locating import (
    BEARING,
    POINT,
    UNSEEN,
    Limits,
    Outcome,
    locate_clusters,
    points_from,
)
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.schedule import EpochGuard, Schedule, Verdict
from liquid_mono3d_ros.geometry.timing import Evaluated, Pose, TrackBuffer
from liquid_mono3d_ros.geometry.view import view
from liquid_mono3d_ros.records import Points3D, Tracks2D, nanoseconds
from liquid_mono3d_ros.settings import Settings, group, setting


@dataclass(frozen=True)
class GeometrySettings(Settings):
    """Values of the triangulation."""

    sync: str = setting(
        "interpolate",
        "Common time: interpolate (any cameras), extrapolate (least latency), or exact and"
        " approximate (paired by the caller)",
        choices=("interpolate", "extrapolate", "exact", "approximate"),
    )
    reference_camera: str = setting(
        "", "Whose images give the instants and stamps of the points; empty for the first"
    )
    max_wait: float = setting(
        0.15,
        "Longest wait for the other cameras, by stamps; one frame of the slowest",
        unit="s",
        bounds=(0.0, 2.0),
    )
    max_extrapolation: float = setting(
        0.1,
        "Longest way a track is predicted beyond its camera's newest image",
        unit="s",
        bounds=(0.0, 1.0),
    )
    max_bracket: float = setting(
        0.5,
        "Longest gap between two images of a camera that is interpolated",
        unit="s",
        bounds=(0.0, 5.0),
    )
    pixel_acceleration: float = setting(
        500.0,
        "Standard deviation of what inter- and extrapolation of a pixel ignore",
        unit="px/s^2",
        bounds=(0.0, 1e6),
    )
    silent_after: float = setting(
        1.0,
        "A camera this far behind the newest stamp is not waited for, and replaced as reference",
        unit="s",
        bounds=(0.1, 60.0),
    )
    memory: float = setting(
        3.0, "How long the tracks of a camera are kept", unit="s", bounds=(0.5, 60.0)
    )
    gate_px: float = setting(
        10.0,
        "Largest residual of a good view; four of its own sigmas if that is more",
        unit="px",
        bounds=(0.1, 1000.0),
    )
    join_px: float = setting(
        60.0,
        "Largest epipolar distance at which one more view joins; wide, so that a badly calibrated"
        " camera is named by its residuals",
        unit="px",
        bounds=(0.1, 1000.0),
    )
    association_frames: int = setting(
        10, "Over which the distances of tracks are averaged", bounds=(1, 1000)
    )
    min_parallax: float = setting(
        0.003,
        "Smallest angle between the rays of a point: 0.3 m at 100 m",
        unit="rad",
        bounds=(0.0, 1.0),
    )
    min_range: float = setting(
        0.05, "Smallest distance from a camera", unit="m", bounds=(0.0, 1e6)
    )
    max_range: float = setting(
        500.0, "Largest distance from a camera", unit="m", bounds=(0.0, 1e6)
    )
    calibration_sigma: float = setting(
        0.002,
        "Unknown turn of each camera, per axis across the ray; a good calibration has 0.1 degree",
        unit="rad",
        bounds=(0.0, 0.5),
    )
    clock_sigma: float = setting(
        0.001,
        "Unknown offset of each camera's clock; 0 with a hardware trigger",
        unit="s",
        bounds=(0.0, 1.0),
    )
    emit_bearings: bool = setting(
        True, "Whether a known object that one camera still sees is sent as a ray"
    )
    clock: ClockSettings = group(ClockSettings)


class Triangulator:
    """Remembers the last tracks of each camera and locates what two or more of them see.

    Attributes:
        dropped: What was not used, by cause: unknown_camera, image_size, duplicate, stale_epoch,
            late, unequal_stamps (images); gated, behind, parallax, range (points).
        counters: What else is worth counting: images, outputs, points, bearings, epochs,
            extrapolated (outputs for which a camera came too late), views_left_out,
            reference_replaced.
    """

    def __init__(self, settings: GeometrySettings, rig: Rig) -> None:
        self._settings = settings
        self._rig = rig
        self._cameras = dict(rig.cameras)
        self._reference = settings.reference_camera or next(iter(rig.cameras))
        if self._reference not in rig.cameras:
            rule = f"one of {', '.join(rig.cameras)}"
            cure = "Name a camera of the rig."
            raise ValueError(complain("reference_camera", rule, repr(self._reference), cure))
        silent_after = nanoseconds(settings.silent_after)
        self.dropped: Counter[str] = Counter()
        self.counters: Counter[str] = Counter()
        self._guard = EpochGuard()
        self._tracker_epoch: dict[str, int] = {}
        self._buffers = {
            name: TrackBuffer(
                camera,
                memory=settings.memory,
                max_bracket=settings.max_bracket,
                max_extrapolation=settings.max_extrapolation,
                acceleration=settings.pixel_acceleration,
            )
            for name, camera in rig.cameras.items()
        }
        self._schedule = Schedule(
            tuple(rig.cameras),
            self._reference,
            max_wait=nanoseconds(settings.max_wait),
            silent_after=silent_after,
        )
        self._associator = Associator(
            frames=settings.association_frames,
            birth_px=settings.gate_px,
            join_px=settings.join_px,
            calibration_sigma=settings.calibration_sigma,
            min_parallax=settings.min_parallax,
            forget_after=silent_after,
        )
        self._limits = Limits(
            residual_px=settings.gate_px,
            parallax=settings.min_parallax,
            nearest=settings.min_range,
            farthest=settings.max_range,
            calibration_sigma=settings.calibration_sigma,
            clock_sigma=settings.clock_sigma,
            bearings=settings.emit_bearings,
        )
        self._monitor = HealthMonitor(
            rig.cameras, limit_px=settings.gate_px, silent_after=silent_after
        )
        self._clocks = ClockWatch(
            settings.clock,
            rig.cameras,
            self._reference,
            self._buffers,
            calibration_sigma=settings.calibration_sigma,
            gate_px=settings.gate_px,
            acceleration=settings.pixel_acceleration,
        )

    @property
    def epoch(self) -> int:
        """Starts at 0, one more after every reset and backward stamp."""
        return self._guard.epoch

    def reset(self) -> None:
        """Start a new epoch: forget every track. The counters go on."""
        self._guard.reset()
        self._forget()

    def add(self, tracks: Tracks2D, pose: Pose | None = None) -> list[Points3D]:
        """Take in the tracks of one image and return the points that became due, oldest first.

        There is one output, maybe empty, for each image of the reference camera, with its stamp.

        Args:
            tracks: Of one camera, in the order of their stamps.
            pose: ``R_cw`` and ``t_cw`` at the image's stamp, if the camera moves.

        Raises:
            ValueError: If ``sync`` leaves the pairing to the caller.
        """
        if self._settings.sync in ("exact", "approximate"):
            got = f"{self._settings.sync!r}"
            cure = "Pair the images and call add_set."
            raise ValueError(complain("sync", "interpolate or extrapolate", got, cure))
        if not self._admit(tracks, pose):
            return []
        camera = tracks.camera
        time = self._buffers[camera].true_time(tracks.stamp)
        acting = self._schedule.acting
        self.dropped["late"] += self._schedule.note(camera, time, tracks.stamp)
        self.counters["reference_replaced"] += self._schedule.acting not in (
            acting,
            self._reference,
        )
        outputs = []
        for due in self._schedule.due(at_once=self._settings.sync == "extrapolate"):
            self.counters["extrapolated"] += bool(due.late)
            evaluated = {name: b.evaluate(due.time) for name, b in self._buffers.items()}
            outputs.append(self._locate(evaluated, due.time, due.stamp))
        return outputs

    def add_set(
        self, tracks: Sequence[Tracks2D], poses: Mapping[str, Pose] | None = None
    ) -> Points3D:
        """Take in one image of each camera, paired by the caller, and return their points.

        The pixels are taken as they are, as if of one instant: with ``exact``, images whose stamp
        is not that of the reference are dropped.

        Args:
            tracks: One or more, at most one per camera.
            poses: Of the cameras that move, at their image's stamp.

        Raises:
            ValueError: If ``tracks`` is empty.
        """
        if not tracks:
            cure = "Call it with the tracks of one set."
            raise ValueError(complain("tracks", "one or more", "none", cure))
        reference = next((t for t in tracks if t.camera == self._reference), tracks[0])
        evaluated: dict[str, Evaluated | None] = {}
        for one in tracks:
            if self._settings.sync == "exact" and one.stamp != reference.stamp:
                self.dropped["unequal_stamps"] += 1
            elif self._admit(one, (poses or {}).get(one.camera)):
                buffer = self._buffers[one.camera]
                evaluated[one.camera] = buffer.evaluate(buffer.true_time(one.stamp))
        return self._locate(evaluated, reference.stamp, reference.stamp)

    def health(self) -> dict[str, CameraHealth]:
        """Return how each camera does: rate, residual, bias, and what is wrong in words."""
        return self._monitor.report(self._cameras, self._clocks.estimates())

    def _admit(self, tracks: Tracks2D, pose: Pose | None) -> bool:
        """Check an image and put it into its camera's buffer."""
        name = tracks.camera
        camera = self._rig.cameras.get(name)
        if camera is None:
            self.dropped["unknown_camera"] += 1
            return False
        if (tracks.width, tracks.height) != (camera.width, camera.height):
            self.dropped["image_size"] += 1
            return False
        verdict = self._guard.admit(name, tracks.stamp)
        if verdict in (Verdict.DUPLICATE, Verdict.STALE):
            self.dropped[verdict.value] += 1
            return False
        if verdict is Verdict.NEW_EPOCH:
            self._forget()
        if self._tracker_epoch.get(name, tracks.epoch) != tracks.epoch:
            self._associator.forget_camera(name)
        self._tracker_epoch[name] = tracks.epoch
        if pose is not None:
            self._cameras[name] = camera.at_pose(*pose)
        self.counters["images"] += 1
        self._buffers[name].add(tracks, pose)
        self._monitor.add_image(name, tracks.stamp)
        return True

    def _forget(self) -> None:
        self.counters["epochs"] += 1
        for buffer in self._buffers.values():
            buffer.reset()
        self._schedule.reset()
        self._clocks.reset()
        self._associator.reset()
        self._monitor.reset()
        self._tracker_epoch.clear()

    def _locate(
        self, evaluated: Mapping[str, Evaluated | None], time: int, stamp: int
    ) -> Points3D:
        """Return the points at one instant from the tracks that were evaluated there."""
        views = {
            name: view(camera, tracks)
            for name, camera in self._rig.cameras.items()
            if (tracks := evaluated.get(name)) is not None
        }
        clusters = self._associator.update(views, time)
        leapt = self._clocks.look(clusters, self._cameras, time)
        unsure = {name: self._clocks.sigma(name) for name in views}
        outcome = locate_clusters(clusters, list(views.values()), self._limits, unsure)
        if outcome is not None:
            self._learn(outcome, time)
        if leapt:
            self._associator.reset()
        self.counters["outputs"] += 1
        return points_from(outcome, stamp=stamp, frame_id=self._rig.world_frame, epoch=self.epoch)

    def _learn(self, outcome: Outcome, time: int) -> None:
        """Count what came of each cluster, give new objects their numbers, note the residuals."""
        located = outcome.located
        for n, (cluster, verdict) in enumerate(
            zip(outcome.clusters, outcome.verdicts, strict=True)
        ):
            if verdict == POINT:
                self._associator.settle(cluster, located.xyz[n], located.covariance[n], time)
                self.counters["points"] += 1
                self.counters["views_left_out"] += len(cluster.left_out)
                for c in np.flatnonzero(outcome.rows[:, n] >= 0).tolist():
                    name = outcome.views[c].camera.name
                    self._monitor.add_residual(name, located.residual_px[c, n])
            elif verdict == BEARING:
                self.counters["bearings"] += 1
            elif verdict != UNSEEN:
                self.dropped[verdict] += 1
