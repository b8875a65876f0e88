"""Cameras with their calibration, from a YAML file or from CameraInfo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from liquid_mono3d_ros.checks import Array, check_finite, check_shape, complain
from liquid_mono3d_ros.geometry.camera import Camera, camera_from_info
from liquid_mono3d_ros.geometry.rotation import matrix_from_quat_xyzw

_SCALARS = ("model", "frame_id", "time_offset", "readout", "sigma_px")
_CAMERA_KEYS = ("width", "height", "K", "D", "R_cw", "t_cw", "T_world_camera", *_SCALARS)


@dataclass(frozen=True, eq=False)
class Rig:
    """Two or more cameras in one world.

    Attributes:
        cameras: Name → camera. The order is that of the file; the first is the reference.
        world_frame: tf name of the world.
        up: Unit vector that points up in the world, (3,); None when it is not known.
    """

    cameras: dict[str, Camera]
    world_frame: str = "world"
    up: Array | None = None

    def __post_init__(self) -> None:
        if len(self.cameras) < 2:
            got = f"{len(self.cameras)}"
            raise ValueError(complain("cameras", "two or more", got, "Add a camera to the rig."))
        for name, camera in self.cameras.items():
            if name != camera.name:
                cure = "Use one name."
                raise ValueError(
                    complain("cameras", "keyed by name", f"{name}: {camera.name}", cure)
                )
        if self.up is not None:
            up = np.array(self.up, dtype=float)
            check_shape("up", up, (3,))
            check_finite("up", up)
            if not up.any():
                raise ValueError(
                    complain("up", "a direction", "zeros", "Leave it out if unknown.")
                )
            object.__setattr__(self, "up", up / np.linalg.norm(up))


def rig_from_infos(
    infos: Mapping[str, Mapping[str, Any]], *, rectified: bool, world_frame: str = ""
) -> Rig:
    """Return the rig that the CameraInfo messages of a calibrated set describe.

    Its world is the rectified optical frame of the first camera, so up is not known.

    Args:
        infos: Camera name → the keyword arguments of ``camera_from_info`` but ``rectified``.
        rectified: Whether the tracks come from ``image_rect``.
        world_frame: Name of that frame; empty for the first camera's ``frame_id``.

    Raises:
        ValueError: If a camera is uncalibrated, or every ``P[0, 3]`` is zero.
    """
    cameras = {
        name: camera_from_info(name, rectified=rectified, **info) for name, info in infos.items()
    }
    P = np.array([np.asarray(info["P"], dtype=float).reshape(3, 4) for info in infos.values()])
    if not P[:, :2, 3].any():  # P[1, 3] counts too: a pair one above the other
        got = f"0 on all of {', '.join(infos)}: no baseline"
        cure = "Calibrate the cameras as a pair, or set extrinsics to rig or tf."
        raise ValueError(complain("P[0, 3]", "other than 0 on at least one camera", got, cure))
    first = next(iter(cameras.values()))
    return Rig(cameras, world_frame or first.frame_id)


def load_rig(path: str | Path) -> Rig:
    """Read a rig file.

    Keys: ``world_frame``, ``up`` (optional), ``cameras: {name: {width, height, K, D, model, R_cw
    and t_cw, or T_world_camera: {translation, quat_xyzw}, frame_id, time_offset, readout,
    sigma_px}}``. Matrices are nested or flat.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a key is unknown or missing, or a value is wrong; the text starts with the
            path and the key.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(complain("rig", "an existing file", str(path), "Check the path."))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: no YAML: {error}") from None
    _check_keys(f"{path}: rig", content, ("world_frame", "up", "cameras"), ("cameras",))
    cameras = content["cameras"]
    _check_keys(f"{path}: cameras", cameras, None, ())
    rig = {str(name): _camera(f"{path}: cameras.{name}", name, cameras[name]) for name in cameras}
    try:
        return Rig(rig, str(content.get("world_frame", "world")), content.get("up"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def save_rig(rig: Rig, path: str | Path) -> None:
    """Write a rig file that ``load_rig`` reads back to the last bit."""
    content: dict[str, Any] = {"world_frame": rig.world_frame}
    if rig.up is not None:
        content["up"] = rig.up.tolist()
    content["cameras"] = {name: _camera_keys(camera) for name, camera in rig.cameras.items()}
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    Path(path).write_text(text, encoding="utf-8")


def _camera_keys(camera: Camera) -> dict[str, Any]:
    keys: dict[str, Any] = {"width": camera.width, "height": camera.height}
    keys.update({name: getattr(camera, name).tolist() for name in ("K", "D", "R_cw", "t_cw")})
    keys.update({name: getattr(camera, name) for name in _SCALARS})
    if math.isnan(camera.sigma_px):
        del keys["sigma_px"]
    return keys


def _camera(where: str, name: str, keys: Any) -> Camera:
    _check_keys(where, keys, _CAMERA_KEYS, ("width", "height", "K"))
    try:
        R_cw, t_cw = _pose(where, keys)
        scalars = {key: keys[key] for key in _SCALARS if key in keys}
        scalars.setdefault("model", "plumb_bob")
        return Camera(
            name=str(name),
            width=_whole("width", keys["width"]),
            height=_whole("height", keys["height"]),
            K=_numbers("K", keys["K"], (3, 3)),
            D=_numbers("D", keys.get("D") or [], (-1,)),
            R_cw=R_cw,
            t_cw=t_cw,
            **scalars,
        )
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(text if text.startswith(where) else f"{where}: {text}") from None


def _pose(where: str, keys: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return R_cw and t_cw from either of the two ways to write a pose."""
    if "T_world_camera" not in keys:
        _check_keys(where, keys, None, ("R_cw", "t_cw"))
        return _numbers("R_cw", keys["R_cw"], (3, 3)), _numbers("t_cw", keys["t_cw"], (3,))
    if "R_cw" in keys or "t_cw" in keys:
        rule, cure = "the only pose", "Keep one of them."
        raise ValueError(complain("T_world_camera", rule, "R_cw or t_cw beside it", cure))
    transform = keys["T_world_camera"]
    parts = ("translation", "quat_xyzw")
    _check_keys(f"{where}.T_world_camera", transform, parts, parts)
    R_wc = matrix_from_quat_xyzw(_numbers("quat_xyzw", transform["quat_xyzw"], (4,)))
    centre = _numbers("translation", transform["translation"], (3,))
    return R_wc.T, -R_wc.T @ centre


def _numbers(key: str, value: Any, shape: tuple[int, ...]) -> Array:
    """Return nested or flat numbers as an array of that shape."""
    try:
        return np.asarray(value, dtype=float).reshape(shape)
    except (TypeError, ValueError):
        rule = "numbers" if shape == (-1,) else f"{math.prod(shape)} numbers"
        raise ValueError(complain(key, rule, repr(value), "Write a YAML list.")) from None


def _whole(key: str, value: Any) -> int:
    if type(value) is not int:
        raise ValueError(complain(key, "a whole number", repr(value), "Give it in px."))
    return value


def _check_keys(
    where: str, content: Any, known: tuple[str, ...] | None, needed: tuple[str, ...]
) -> None:
    if not isinstance(content, dict):
        got = type(content).__name__
        raise ValueError(complain(where, "a mapping", got, "Write `key: value` lines."))
    for key in content:
        if known is not None and key not in known:
            rule = f"one of {', '.join(known)}"
            raise ValueError(complain(f"{where}.{key}", rule, "an unknown key", "Check it."))
    for key in needed:
        if key not in content:
            raise ValueError(complain(f"{where}.{key}", "present", "nothing", "Add the key."))
