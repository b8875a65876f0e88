"""``liquid-mono3d refine``: repair a rig from what its cameras saw of moving objects."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.calibration.gathering import gather
from liquid_mono3d_ros.calibration.observations import Observations
from liquid_mono3d_ros.calibration.pose_problem import Change, RefinementSettings
from liquid_mono3d_ros.calibration.refinement import Refinement, refine_rig
from liquid_mono3d_ros.calibration.suspicion import AGREE
from liquid_mono3d_ros.cli.track_source import add_arguments, read_tracks
from liquid_mono3d_ros.geometry.rig import load_rig, save_rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings

EXAMPLE = """examples:
  liquid-mono3d refine rig.yaml --tracks road.mcap --out repaired.yaml
  liquid-mono3d refine rig.yaml --videos left=a.mp4 right=b.mp4 --set detector:=colour
"""


def main(arguments: Sequence[str]) -> int:
    """Refine, say what moved, write the rig."""
    given = _parse(arguments)
    rig = load_rig(given.rig)
    geometry = GeometrySettings(join_px=given.join_px)
    observations = gather(rig, read_tracks(given, rig), geometry)
    settings = RefinementSettings(
        free=tuple(given.free), clocks=not given.keep_clocks, focal=given.focal
    )
    refinement = refine_rig(rig, observations, settings)
    for line in report(observations, refinement):
        print(textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False))
    if refinement.changes:
        save_rig(refinement.rig, given.out)
        print(f"\nThe repaired rig: {given.out}")
    else:
        print("\nNothing was changed and nothing written.")
    return 0


def report(observations: Observations, refinement: Refinement) -> Iterable[str]:
    """Yield the lines that say what was seen and what moved."""
    objects = len(np.unique(observations.track_id))
    duration = 1e-9 * float(np.ptp(observations.time))
    yield (
        f"{refinement.num_columns} instants of {objects} object{'s' * (objects != 1)} in "
        f"{duration:.1f} s; residuals are medians in px"
    )
    yield ""
    yield f"{'camera':10} {'seen':>5} {'before':>7} {'after':>6}  what was done"
    for c, name in enumerate(observations.cameras):
        change = refinement.changes.get(name)
        yield (
            f"{name:10} {np.count_nonzero(observations.seen[c]):5d} "
            f"{refinement.before_px[name]:7.1f} {refinement.after_px[name]:6.1f}  "
            f"{'held' if change is None else _words(change)}"
        )
    yield ""
    yield from _verdict(refinement)


def _words(change: Change) -> str:
    degrees = np.degrees(change.turn)
    shift, clock = 1e3 * np.array([change.shift, change.clock])  # mm, ms
    words = [f"turned {degrees[0]:.2f} ± {degrees[1]:.2f} deg"]
    if not math.isnan(shift[1]):
        words.append(f"moved {shift[0]:.1f} ± {shift[1]:.1f} mm")
    if not math.isnan(clock[1]):
        words.append(f"clock {clock[0]:+.1f} ± {clock[1]:.1f} ms")
    if not math.isnan(change.focal[1]):
        words.append(f"focal x{change.focal[0]:.4f} ± {change.focal[1]:.4f}")
    return ", ".join(words) if len(words) > 1 else f"{words[0]}, the rest kept"


def _verdict(refinement: Refinement) -> Iterable[str]:
    held = ", ".join(refinement.held)
    if refinement.changes:
        yield f"Held: {held}. They keep the world, its scale and its clock."
        if len(refinement.held) == 1:
            yield (
                "With one camera held nobody knows which one moved, nor how far apart they are: "
                "the distance is the old one. Measure it, or calibrate again."
            )
    elif refinement.misfit > AGREE:
        yield (
            f"The residuals are {refinement.misfit:.1f} times what the noise explains, but no one "
            "camera is to blame: calibrate again, or name the cameras to move with --free."
        )
    else:
        yield "All cameras agree within their noise."
    if refinement.changes and refinement.misfit > AGREE:
        yield (
            f"The held cameras agree to {refinement.misfit:.1f} times their noise: all sigmas are "
            "widened by that, and errors that stay are not in them."
        )
    if refinement.inliers < 0.8:
        yield (
            f"{1 - refinement.inliers:.0%} of the sightings do not fit: look for wrong tracks, or "
            "for a second camera that moved."
        )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d refine",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rig", type=Path, help="rig file, as it was calibrated")
    add_arguments(parser, required=True)
    parser.add_argument(
        "--free", nargs="+", default=[], metavar="CAMERA", help="to move; else those that disagree"
    )
    parser.add_argument("--keep-clocks", action="store_true", help="leave every time_offset")
    parser.add_argument("--focal", action="store_true", help="estimate focal lengths too")
    parser.add_argument(
        "--join-px",
        type=float,
        default=GeometrySettings().join_px,
        help="how far a camera may be off, px; more mixes objects up (default %(default)g)",
    )
    parser.add_argument("--out", type=Path, default=Path("repaired.yaml"), help="rig to write")
    return parser.parse_args(arguments)
