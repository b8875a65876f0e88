"""Where the triangulation node's calibration comes from: a rig file, CameraInfo, or TF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from liquid_mono3d_ros.geometry.camera import Camera, camera_from_info
from liquid_mono3d_ros.geometry.rig import Rig, rig_from_infos
from liquid_mono3d_ros.nodes.tf import FrameTree


class InfoCalibration:
    """Remembers the last CameraInfo of each camera and makes a rig once all are there.

    With ``tree`` the poses come from TF and CameraInfo gives the intrinsics alone; without it they
    come from ``P`` and the world is the first camera's rectified optical frame.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        *,
        rectified: bool,
        world_frame: str,
        tree: FrameTree | None = None,
    ) -> None:
        self.cameras = cameras
        self.rectified = rectified
        self.world_frame = world_frame
        self.tree = tree
        self._infos: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, str] = {}

    @property
    def missing(self) -> list[str]:
        """Cameras without a CameraInfo so far."""
        return [name for name in self.cameras if name not in self._infos]

    def take(self, camera: str, message: Any) -> bool:
        """Remember a CameraInfo; return whether it differs from the last one.

        Raises:
            ValueError: If the camera is uncalibrated.
        """
        info = info_arguments(message)
        text = repr({key: np.asarray(value).tolist() for key, value in info.items()})
        if self._texts.get(camera) == text:
            return False
        camera_from_info(camera, rectified=self.rectified, **info)
        self._infos[camera], self._texts[camera] = info, text
        return True

    def rig(self) -> Rig:
        """Return the rig.

        Raises:
            ValueError: If the cameras have no baseline, or TF does not connect them to the world.
        """
        infos = {name: self._infos[name] for name in self.cameras}
        if self.tree is None:
            return rig_from_infos(infos, rectified=self.rectified, world_frame=self.world_frame)
        cameras = {name: self._posed(name, info) for name, info in infos.items()}
        return Rig(cameras, self.world_frame)

    def _posed(self, name: str, info: dict[str, Any]) -> Camera:
        """Return the camera where TF has it; R and the baseline in P are TF's business then."""
        P = np.array(info["P"], float).reshape(3, 4)
        P[:, 3] = 0.0
        alone = {**info, "P": P, "R": np.eye(3)}
        camera = camera_from_info(name, rectified=self.rectified, **alone)
        assert self.tree is not None
        return camera.at_pose(*self.tree.transform(camera.frame_id, self.world_frame))


def info_arguments(message: Any) -> dict[str, Any]:
    """Return a CameraInfo's fields as arguments of ``camera_from_info``."""
    roi = message.roi
    return {
        "width": message.width,
        "height": message.height,
        "K": np.array(message.k),
        "D": np.array(message.d),
        "R": np.array(message.r),
        "P": np.array(message.p),
        "model": message.distortion_model,
        "binning": (message.binning_x, message.binning_y),
        "roi": (roi.x_offset, roi.y_offset, roi.width, roi.height),
        "frame_id": message.header.frame_id,
    }
