"""``liquid-mono3d calibrate``: images of a chessboard or ChArUco board → rig file and report."""

from __future__ import annotations

import argparse
import glob
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from liquid_mono3d_ros.calibration.boards import FORMS, Board, Corners, find_corners, parse_board
from liquid_mono3d_ros.calibration.extrinsics import Calibration, calibrate_rig, world_on_board
from liquid_mono3d_ros.calibration.intrinsics import CalibrationSettings
from liquid_mono3d_ros.calibration.quality import advice, camera_quality, pair_quality
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.geometry.rig import Rig, save_rig

EXAMPLE = """example:
  liquid-mono3d calibrate --board chessboard:9x6:0.025 \\
      --images 'left=left*.jpg' 'right=right*.jpg' --out rig.yaml
"""


def main(arguments: Sequence[str]) -> int:
    """Calibrate, print the report, write the rig."""
    given = _parse(arguments)
    board = parse_board(given.board)
    sets, unpaired = pair_images(_paths(given.images))
    views, sizes = _look(board, sets)
    calibration = calibrate_rig(board, views, sizes, CalibrationSettings(model=given.model))
    rig = _placed(calibration, given.world)
    for line in _report(board, sets, views, calibration):
        print(textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False))
    for path in unpaired:
        print(f"not paired: {path}: used for its lens alone")
    save_rig(rig, given.out)
    print(f"\nThe rig: {given.out}\nIts world is {_world(rig, given.world)}.")
    print(f"Look at it with: liquid-mono3d doctor {given.out}")
    return 0


def pair_images(
    paths: Mapping[str, Sequence[Path]],
) -> tuple[dict[int, dict[str, Path]], list[Path]]:
    """Return the image sets, number → camera → path, and what has no partner.

    Images with the same last number in their names are one set. If names have no numbers, or one
    twice, images are paired in the order of their names, numbered from 1.
    """
    numbered = {name: {_number(path): path for path in own} for name, own in paths.items()}
    unique = all(
        None not in own and len(own) == len(paths[name]) for name, own in numbered.items()
    )
    if not unique:
        numbered = {
            name: dict(enumerate(sorted(own, key=str), start=1)) for name, own in paths.items()
        }
    sets: dict[int, dict[str, Path]] = {}
    for name, own in numbered.items():
        for number, path in own.items():
            sets.setdefault(number or 0, {})[name] = path
    alone = [path for found in sets.values() if len(found) == 1 for path in found.values()]
    return dict(sorted(sets.items())), sorted(alone)


def _number(path: Path) -> int | None:
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def _paths(images: Sequence[str]) -> dict[str, list[Path]]:
    """Return camera → images of ``camera=pattern`` arguments."""
    found: dict[str, list[Path]] = {}
    for text in images:
        name, equals, pattern = text.partition("=")
        if not (name and equals and pattern) or name in found:
            cure = "For example 'left=left*.jpg' 'right=right*.jpg', in quotes."
            raise ValueError(complain("--images", "CAMERA=PATTERN, once each", repr(text), cure))
        found[name] = [Path(path) for path in sorted(glob.glob(pattern))]
        if not found[name]:
            cure = "Check the folder and the pattern."
            raise FileNotFoundError(complain("--images", "of existing files", repr(text), cure))
    return found


def _look(
    board: Board, sets: Mapping[int, Mapping[str, Path]]
) -> tuple[dict[str, dict[int, Corners]], dict[str, tuple[int, int]]]:
    """Return camera → set → corners, and camera → image size."""
    views: dict[str, dict[int, Corners]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for number, paths in sets.items():
        for name, path in paths.items():
            image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if image is None:
                got = f"'{path}'"
                raise ValueError(complain("--images", "images", got, "OpenCV cannot read it."))
            size = (image.shape[1], image.shape[0])
            if sizes.setdefault(name, size) != size:
                rule = "{}x{} as the others of {}".format(*sizes[name], name)
                got = f"{size[0]}x{size[1]} in '{path}'"
                raise ValueError(complain("images", rule, got, "Leave the odd ones out."))
            views.setdefault(name, {})
            corners = find_corners(board, image)
            if corners is not None:
                views[name][number] = corners
    first_given = {name: None for paths in sets.values() for name in paths}
    return {name: views[name] for name in first_given}, sizes


def _placed(calibration: Calibration, world: str) -> Rig:
    """Return the rig in the world that was asked for."""
    if world == "camera":
        return calibration.rig
    kind, _, number = world.partition(":")
    if kind != "board" or not number.isdigit():
        cure = "board:3 puts it on the board of image set 3, z up."
        raise ValueError(complain("--world", "camera or board:NUMBER", repr(world), cure))
    return world_on_board(calibration, int(number))


def _world(rig: Rig, world: str) -> str:
    first = next(iter(rig.cameras))
    if world == "camera":
        return f"the optical frame of {first}, so up is not known (--world board:K)"
    return f"the board of image set {world.partition(':')[2]}, z up"


def _report(
    board: Board,
    sets: Mapping[int, Mapping[str, Path]],
    views: Mapping[str, Mapping[int, Corners]],
    calibration: Calibration,
) -> Iterable[str]:
    cameras = camera_quality(calibration, board, views)
    pairs = pair_quality(calibration, views)
    model = next(iter(calibration.rig.cameras.values())).model
    yield f"{len(board.xyz)} corners a board, {len(sets)} image sets, model {model}"
    yield ""
    yield f"{'camera':12} {'used':>7} {'RMS px':>7} {'fx px':>17} {'fy px':>17} {'covered':>8}" + (
        f" {'tilt deg':>9}"
    )
    for name, camera in cameras.items():
        given = sum(name in paths for paths in sets.values())
        focal = [
            f"{value:.2f} ± {sigma:.2f}"
            for value, sigma in zip(camera.focal, camera.focal_sigma, strict=True)
        ]
        yield (
            f"{name:12} {f'{camera.num_views}/{given}':>7} {camera.rms_px:7.3f} {focal[0]:>17} "
            f"{focal[1]:>17} {camera.coverage:8.0%} {np.degrees(camera.tilt):9.0f}"
        )
    yield ""
    yield f"{'pair':25} {'shared':>7} {'epipolar px: median':>20} {'95 %':>7} {'baseline m':>21}"
    first = next(iter(cameras))
    for (a, b), pair in pairs.items():
        median, high = (
            np.percentile(pair.epipolar_px, [50, 95]) if pair.num_shared else (np.nan, np.nan)
        )
        sigma = f" ± {calibration.baseline_sigma[b]:.5f}" if a == first else ""
        yield (
            f"{f'{a} - {b}':25} {pair.num_shared:7d} {median:20.3f} {high:7.3f} "
            f"{f'{pair.baseline:.5f}{sigma}':>21}"
        )
    for number, paths in sets.items():
        for name, path in paths.items():
            reason = calibration.left_out[name].get(number)
            if number not in views[name]:
                yield f"not used: {path}: the board was not found"
            elif reason:
                yield f"not used: {path}: {reason}"
    yield from (f"warning: {sentence}" for sentence in advice(board, cameras, pairs))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d calibrate",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--board", required=True, help=f"{FORMS}; sizes in metres")
    parser.add_argument(
        "--images",
        required=True,
        nargs="+",
        metavar="CAMERA=PATTERN",
        help="of each camera; the first camera is the reference",
    )
    models = ("plumb_bob", "rational_polynomial", "equidistant")
    parser.add_argument("--model", default=models[0], choices=models, help="of every lens")
    parser.add_argument(
        "--world", default="camera", help="camera (the first one's optical frame) or board:NUMBER"
    )
    parser.add_argument("--out", type=Path, default=Path("rig.yaml"), help="rig file to write")
    return parser.parse_args(arguments)
