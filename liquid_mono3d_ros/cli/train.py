"""``liquid-mono3d train``: from simulated flights to weights, by a recipe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = """examples:
  liquid-mono3d train filter --out out/filter
  liquid-mono3d train filter --recipe my_recipe.yaml --device cuda --out out/filter
  liquid-mono3d train filter --resume --out out/filter
"""


def main(arguments: Sequence[str]) -> int:
    """Train and write weights, a log and its picture."""
    given = _parse(arguments)
    from liquid_mono3d_ros.train.filter_recipe import follow  # needs torch

    follow(given.recipe, given.out, device=given.device, resume=given.resume)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d train",
        description="Train what the package ships, or your own.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("filter",), help="filter: advises the bank of filters")
    parser.add_argument("--recipe", help="YAML file (default: config/recipes/filter.yaml)")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args(arguments)
