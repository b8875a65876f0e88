"""``liquid-mono3d doctor RIG``: what a rig can do, what is wrong with it, and what to do."""

from __future__ import annotations

import argparse
import importlib.util
import math
import platform
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.calibration.inspection import (
    DISTANCES,
    HONEST,
    Inspection,
    PairInspection,
    Problem,
    inspect_rig,
)
from liquid_mono3d_ros.cli.track_source import add_arguments, read_tracks
from liquid_mono3d_ros.geometry.health import CameraHealth
from liquid_mono3d_ros.geometry.rig import Rig, load_rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import Tracks2D
from liquid_mono3d_ros.resources import share_path

EXAMPLE = """examples:
  liquid-mono3d doctor rig.yaml
  liquid-mono3d doctor rig.yaml --tracks road.mcap
  liquid-mono3d doctor --installation
"""


def main(arguments: Sequence[str]) -> int:
    """Print the report; return 1 if something is an error."""
    given = _parse(arguments)
    problems: list[Problem] = []
    if given.rig is not None:
        rig = load_rig(given.rig)
        inspection = inspect_rig(rig)
        print("\n".join(rig_report(given.rig, rig, inspection)))
        problems += inspection.problems
        if given.tracks is not None or given.videos is not None:
            lines, found = tracks_report(rig, read_tracks(given, rig))
            print("\n" + "\n".join(lines))
            problems += found
    if given.installation:
        print("\n".join(installation_report()))
    problems += copies(sys.path)
    print()
    for problem in sorted(problems, key=lambda problem: not problem.is_error):
        sentence = f"{'error' if problem.is_error else 'warning'}: {problem.sentence}"
        print(textwrap.fill(sentence, 100, subsequent_indent="  ", break_on_hyphens=False))
    errors = sum(problem.is_error for problem in problems)
    counts = f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}"
    print(counts if problems else "All is well.")
    return 1 if errors else 0


def rig_report(path: Path, rig: Rig, inspection: Inspection) -> Iterable[str]:
    """Yield the tables of cameras and pairs."""
    up = "not known" if rig.up is None else _vector(rig.up, 2)
    yield f"{path}: {len(rig.cameras)} cameras, world '{rig.world_frame}', up {up}\n"
    yield (
        f"{'camera':10} {'size px':>10} {'focal px':>9} {'view deg':>9} {'lens ok':>8} "
        f"{'centre m':>24} {'looks along':>21}"
    )
    for name, camera in rig.cameras.items():
        own = inspection.cameras[name]
        across, down = np.degrees(own.field_of_view)
        focal = (camera.K[0, 0] + camera.K[1, 1]) / 2
        yield (
            f"{name:10} {f'{camera.width}x{camera.height}':>10} {focal:9.1f} "
            f"{f'{across:.0f}x{down:.0f}':>9} {own.invertible:8.0%} "
            f"{_vector(camera.centre, 3):>24} {_vector(own.axis, 2):>21}"
        )
    yield f"\n{'camera':10} {'time_offset ms':>15} {'readout ms':>11} {'sigma px':>14}  model"
    for name, camera in rig.cameras.items():
        sigma = "of the tracks" if math.isnan(camera.sigma_px) else f"{camera.sigma_px:g}"
        yield (
            f"{name:10} {1e3 * camera.time_offset:15.1f} {1e3 * camera.readout:11.1f} "
            f"{sigma:>14}  {camera.model}, {len(camera.D)} coefficients"
        )
    yield from _pairs(inspection.pairs)


def _pairs(pairs: Mapping[tuple[str, str], PairInspection]) -> Iterable[str]:
    yield (
        "\nPart of the first camera's view that the second shares, and depth sigma by 1 px noise,"
        f"\nat four distances; good to: seen by both, sigma under {HONEST:.0%} of the distance:"
    )
    columns = "".join(f"{f'{distance:g} m':>14}" for distance in DISTANCES)
    yield f"{'pair':17} {'apart m':>7} {'deg':>5}{columns} {'good to m':>10}"
    for (a, b), pair in pairs.items():
        cells = "".join(
            f"{'-':>14}" if part == 0 else f"{f'{part:.0%}':>5}{_length(sigma):>9}"
            for part, sigma in zip(pair.overlap, pair.depth_sigma, strict=True)
        )
        reach = "over 500" if math.isinf(pair.reach) else _number(pair.reach)
        yield (
            f"{f'{a} - {b}':17} {pair.baseline:7.3f} {np.degrees(pair.angle):5.0f}{cells} "
            f"{reach:>10}"
        )


def tracks_report(rig: Rig, tracks: Iterable[Tracks2D]) -> tuple[list[str], list[Problem]]:
    """Return what the cameras saw, and what is wrong with it."""
    triangulator = Triangulator(GeometrySettings(), rig)
    sizes: dict[str, tuple[int, int]] = {}
    located = instants = 0
    for one in tracks:
        sizes.setdefault(one.camera, (one.width, one.height))
        for points in triangulator.add(one):
            instants += 1
            located += bool(np.isfinite(points.xyz).all(axis=1).any())
    health = triangulator.health()
    lines = [
        f"{instants} instants, {located} with a located object",
        f"{'camera':10} {'images':>7} {'rate Hz':>8} {'residual px':>12} {'bias px':>17}"
        f" {'clock off by ms':>17}",
        *(_health_line(name, own) for name, own in health.items()),
    ]
    dropped = {cause: count for cause, count in triangulator.dropped.items() if count}
    if dropped:
        lines.append("dropped: " + ", ".join(f"{n} {cause}" for cause, n in dropped.items()))
    return lines, [*_track_problems(rig, sizes, located, health)]


def _health_line(name: str, own: CameraHealth) -> str:
    bias = "-" if np.isnan(own.bias_px).any() else f"({own.bias_px[0]:.1f}, {own.bias_px[1]:.1f})"
    clock = "-"
    if own.clock is not None and math.isfinite(own.clock.offset):
        clock = f"{-1e3 * own.clock.offset:.1f} ± {1e3 * own.clock.sigma:.1f}"
    return (
        f"{name:10} {own.num_images:7d} {_number(own.rate):>8} {_number(own.residual_px):>12} "
        f"{bias:>17} {clock:>17}"
    )


def _track_problems(
    rig: Rig,
    sizes: Mapping[str, tuple[int, int]],
    located: int,
    health: Mapping[str, CameraHealth],
) -> Iterable[Problem]:
    for name, size in sizes.items():
        camera = rig.cameras.get(name)
        if camera is None:
            cameras = ", ".join(rig.cameras)
            yield Problem(
                False, f"There are tracks of {name}, which is not in the rig ({cameras})."
            )
        elif size != (camera.width, camera.height):
            yield Problem(
                True,
                f"{name}: its images are {size[0]}x{size[1]}, its calibration is for "
                f"{camera.width}x{camera.height}: its tracks are dropped. Calibrate at the size "
                "that is used.",
            )
    if not located:
        yield Problem(True, "No object was located: no two cameras agree on what they saw.")
    for own in health.values():
        for sentence in own.problems:
            yield Problem(False, sentence if sentence.endswith("?") else f"{sentence}.")


def copies(search_path: Sequence[str]) -> list[Problem]:
    """Return a problem if Python could import two different copies of the package."""
    found = dict.fromkeys(
        Path(entry or ".", "liquid_mono3d_ros").resolve()
        for entry in search_path
        if Path(entry or ".", "liquid_mono3d_ros", "__init__.py").is_file()
    )
    if len(found) < 2:
        return []
    used, *others = map(str, found)
    return [
        Problem(
            False,
            f"There are {len(found)} copies of liquid_mono3d_ros: {used} is used, "
            f"{', '.join(others)} is not. Keep one: pip uninstall liquid_mono3d_ros, or open a "
            "shell in which the other workspace is not sourced.",
        )
    ]


def installation_report() -> Iterable[str]:
    """Yield what is installed, and where."""
    yield f"Python {platform.python_version()} at {sys.executable}"
    for name in ("numpy", "scipy", "opencv-python-headless", "opencv-python"):
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    yield f"configuration at {share_path('config')}"
    for name, meaning in (("rclpy", "ROS 2"), ("liquid_mono3d", "the messages")):
        there = importlib.util.find_spec(name) is not None
        yield f"{meaning}: {'found' if there else 'not found: the core works, the nodes do not'}"


def _vector(values: np.typing.NDArray[np.float64], digits: int) -> str:
    return "(" + ", ".join(f"{value + 0.0:.{digits}f}" for value in np.round(values, digits)) + ")"


def _length(metres: float) -> str:
    if metres < 0.1:
        return f"{1e3 * metres:.1f} mm"
    return f"{metres:.2f} m" if metres < 100 else "unknown"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d doctor",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rig", type=Path, nargs="?", help="rig file")
    add_arguments(parser, required=False)
    parser.add_argument("--installation", action="store_true", help="also what is installed")
    given = parser.parse_args(arguments)
    if given.rig is None and (not given.installation or given.tracks or given.videos):
        parser.error("give a rig file, or --installation alone")
    return given
