"""Node: 2D tracks of all cameras → 3D points."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from std_srvs.srv import Trigger

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.geometry.rig import Rig, load_rig
from liquid_mono3d_ros.geometry.triangulator import Triangulator
from liquid_mono3d_ros.graph import TriangulationNodeSettings
from liquid_mono3d_ros.nodes.calibration import InfoCalibration
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import points3d_to_msg, tracks2d_from_msg
from liquid_mono3d_ros.nodes.pairing import Pairer
from liquid_mono3d_ros.nodes.repair import NOT_CONFIGURED, Outcome, Repair, Repairer
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.nodes.tf import FrameTree
from liquid_mono3d_ros.records import Points3D, Tracks2D


class TriangulationNode(Stage[TriangulationNodeSettings]):
    """Brings the tracks to a common time and locates them; needs a calibration first."""

    spec_name = "triangulation"
    triangulator: Triangulator | None = None
    calibration: InfoCalibration | None = None
    pairer: Pairer | None = None
    repairer: Repairer | None = None
    rig: Rig

    def __init__(self) -> None:
        super().__init__()
        self.create_service(Trigger, "~/refine", self._on_refine)

    def configure(self) -> None:
        """Read the rig, or prepare to hear of it."""
        settings = self.settings
        self.triangulator = self.calibration = None
        self.epochs_before = 0  # of the triangulators that a new calibration replaced
        self.problems: dict[str, str] = {}
        self.repairer = None
        if settings.extrinsics == "rig":
            rig = self._rig_from_file()
            self._use(rig)
            cameras = self.settings.cameras or tuple(rig.cameras)
        else:
            cameras = settings.cameras
            self.calibration = self._calibration(cameras)
        self.cameras = cameras
        self.points = self.advertise("points3d")
        self.pairer = self._pairer() if settings.sync in ("exact", "approximate") else None
        self.repairer = Repairer(settings, self._repaired)

    def connect(self) -> None:
        """Subscribe to tracks and, unless a rig file gives all, to CameraInfo."""
        for name in self.cameras:
            self.subscribe("{camera}/tracks2d", partial(self._track, name), camera=name)
            if self.calibration is not None:
                self.subscribe("{camera}/camera_info", partial(self._inform, name), camera=name)

    def restart(self) -> None:
        """Forget the tracks; the calibration stays."""
        if self.triangulator is not None:
            self.triangulator.reset()
        if self.pairer is not None:
            self.pairer.reset()
        if self.repairer is not None:
            self.repairer.memory.reset()

    def stop(self) -> None:
        """End a repair that runs."""
        if self.repairer is not None:
            self.repairer.stop()

    def report(self) -> dict[str, object]:
        """Return the triangulator's drops and each camera's health."""
        if self.triangulator is None:
            return {}
        values: dict[str, object] = {"epoch": self.epochs_before + self.triangulator.epoch}
        if self.repairer is not None and self.repairer.last:
            values["refine"] = self.repairer.last
        for cause, number in (self.triangulator.dropped + self.triangulator.counters).items():
            values[f"count {cause}"] = number
        if self.pairer is not None:
            values["count unpaired"] = self.pairer.unpaired
        for name, health in self.triangulator.health().items():
            values[f"{name} residual_px"] = health.residual_px
            values[f"{name} bias_u_px"], values[f"{name} bias_v_px"] = map(float, health.bias_px)
            if health.clock is not None:
                values[f"{name} clock_offset_s"] = health.clock.offset
                values[f"{name} clock_sigma_s"] = health.clock.sigma
        return values

    def complaints(self) -> list[str]:
        """Return what keeps points from coming, or makes them worse."""
        if self.triangulator is None:
            missing = self.calibration.missing if self.calibration else []
            problems = [
                f"no CameraInfo from {name}: check its topic and driver."
                for name in missing
                if name not in self.problems
            ]
        else:
            reports = self.triangulator.health().values()
            problems = [
                problem if problem.endswith("?") else f"{problem}."
                for health in reports
                for problem in health.problems
            ]
        return [*self.problems.values(), *problems]

    def _rig_from_file(self) -> Rig:
        settings = self.settings
        if not settings.rig:
            rule, cure = "a path with extrinsics rig", "Or set extrinsics to camera_info."
            raise ValueError(complain("rig", rule, "nothing", cure))
        rig = load_rig(settings.rig)
        unknown = sorted(set(settings.cameras) - set(rig.cameras))
        if unknown:
            rule = f"among {', '.join(rig.cameras)}, the cameras of {settings.rig}"
            raise ValueError(complain("cameras", rule, ", ".join(unknown), "Use its names."))
        names = settings.cameras or tuple(rig.cameras)
        chosen = {name: rig.cameras[name] for name in names}
        return replace(rig, cameras=chosen, world_frame=settings.world_frame or rig.world_frame)

    def _calibration(self, cameras: tuple[str, ...]) -> InfoCalibration:
        settings = self.settings
        if len(cameras) < 2:
            cure = "Launch files set it from cameras, left and right."
            raise ValueError(complain("cameras", "two or more names", f"{len(cameras)}", cure))
        with_tf = settings.extrinsics == "tf"
        if with_tf and not settings.world_frame:
            cure = "Name a frame of the tf tree."
            raise ValueError(complain("world_frame", "set with extrinsics tf", "nothing", cure))
        return InfoCalibration(
            cameras,
            rectified=settings.rectified,
            world_frame=settings.world_frame,
            tree=FrameTree(self) if with_tf else None,
        )

    def _pairer(self) -> Pairer:
        slop = self.settings.slop if self.settings.sync == "approximate" else None
        return Pairer(
            self.cameras, self._locate_set, slop=slop, queue_size=self.settings.queue_size
        )

    def _use(self, rig: Rig) -> None:
        self.rig = rig
        self.triangulator = Triangulator(self.settings, rig)

    def _inform(self, camera: str, message: Any) -> None:
        calibration = self.calibration
        assert calibration is not None
        try:
            changed = calibration.take(camera, message)
        except ValueError as error:
            self.problems[camera] = f"{camera}: {error}"
            raise
        self.problems.pop(camera, None)
        if changed and self.triangulator is not None:
            self.counts["calibration_changed"] += 1
            self.epochs_before += self.triangulator.epoch + 1
            self.triangulator = None
        self._build_rig()

    def _build_rig(self) -> None:
        """Make the triangulator as soon as every camera is calibrated and placed."""
        calibration = self.calibration
        if self.triangulator is None and calibration is not None and not calibration.missing:
            try:
                self._use(calibration.rig())
                self.problems.pop("rig", None)
            except ValueError as error:
                self.problems["rig"] = str(error)
                raise

    def _on_refine(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Start a repair and answer at once: it takes seconds, and the tracks go on coming."""
        with self.lock:
            refusal = self.repairer.refusal() if self.repairer is not None else NOT_CONFIGURED
            response.success = not refusal
            response.message = refusal or self.repairer.start(self.rig)
        return response

    def _repaired(self, found: Repair) -> None:
        """Go on with the repaired rig in a new epoch; called from the repairer's thread."""
        if found.outcome is Outcome.FAILED:
            self.say(found.outcome.value, f"refine: {found.sentence}")
        else:
            self.get_logger().info(f"refine: {found.sentence}")
        with self.lock:
            if found.outcome is Outcome.REFINED and self.triangulator is not None:
                self.epochs_before += self.triangulator.epoch + 1
                self._use(found.rig)
            self.counts[found.outcome.value] += 1

    def _track(self, camera: str, message: Any) -> None:
        tracks = tracks2d_from_msg(message)
        if self.triangulator is None:
            self.counts["waiting_for_calibration"] += 1
            return
        if not self._fits(tracks):
            return
        assert self.repairer is not None
        self.repairer.memory.add(tracks)
        if self.pairer is not None:
            self.pairer.add(camera, message)
            return
        for points in self.triangulator.add(tracks, self._pose(tracks)):
            self._publish(points)

    def _pose(self, tracks: Tracks2D) -> tuple[Array, Array] | None:
        """Return where a moving camera was when it took the image, None for a fixed one."""
        tree = self.calibration.tree if self.calibration is not None else None
        if tree is None or not self.settings.moving_cameras:
            return None
        return tree.transform(tracks.frame_id, self.settings.world_frame, tracks.stamp)

    def _fits(self, tracks: Tracks2D) -> bool:
        """Say whether the tracks are of images for which a camera is calibrated."""
        camera = self.rig.cameras.get(tracks.camera)
        if camera is None:
            rule, cure = f"one of {', '.join(self.rig.cameras)}", "Use the rig's names."
            self.drop("unknown_camera", complain("camera", rule, f"'{tracks.camera}'", cure))
            return False
        if (tracks.width, tracks.height) != (camera.width, camera.height):
            rule = f"{camera.width}x{camera.height} as calibrated"
            got, cure = f"{tracks.width}x{tracks.height}", "Use the calibration of this size."
            self.drop("image_size", complain(f"images of {tracks.camera}", rule, got, cure))
            return False
        return True

    def _locate_set(self, messages: list[Any]) -> None:
        assert self.triangulator is not None
        tracks = [tracks2d_from_msg(message) for message in messages]
        poses = {t.camera: pose for t in tracks if (pose := self._pose(t)) is not None}
        self._publish(self.triangulator.add_set(tracks, poses))

    def _publish(self, points: Points3D) -> None:
        epoch = self.epochs_before + points.epoch
        self.points.publish(points3d_to_msg(replace(points, epoch=epoch)))


def main() -> int:
    """Run the node."""
    return run(TriangulationNode)


if __name__ == "__main__":
    raise SystemExit(main())
