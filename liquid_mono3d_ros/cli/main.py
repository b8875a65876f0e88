"""``liquid-mono3d VERB ...``: finds the verb's module and hands over."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

VERBS = {
    "up": "start the pipeline as separate processes, as `ros2 launch` would",
    "demo": "play the real clip, or a synthetic rig, through the whole road and report",
    "calibrate": "make a rig file from images of a chessboard or ChArUco board",
    "refine": "repair a rig from what its cameras saw of moving objects",
    "doctor": "say what a rig can do and what is wrong with it",
    "fetch": "download a language model for the descriptions",
    "train": "simulate flights and train on them, by a recipe",
    "bench": "measure, print a table, write JSON",
    "docs": "write the generated parts of config/ and docs/",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d", description="Moving objects in 3D from two or more cameras."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, about in VERBS.items():
        verbs.add_parser(verb, help=about, add_help=False)
    given, rest = parser.parse_known_args(arguments)
    module = importlib.import_module(f"liquid_mono3d_ros.cli.{given.verb}")
    try:
        status: int = module.main(rest)
    except (ValueError, OSError, ImportError) as error:
        print(f"liquid-mono3d {given.verb}: {error}", file=sys.stderr)
        return 1
    return status
