"""``liquid-mono3d train``: from simulated flights, or one's own recordings, to weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.checks import complain

EXAMPLE = """examples:
  liquid-mono3d train filter --out out/filter
  liquid-mono3d train filter --recipe my_recipe.yaml --device cuda --out out/filter
  liquid-mono3d train filter --resume --out out/filter
  liquid-mono3d train filter --data monday.mcap tuesday.mcap --out out/my_rig
  liquid-mono3d train video --device cuda --workers 15 --seconds 180 --out out/video
  liquid-mono3d train motion --out out/motion
  liquid-mono3d train persistence --out out/persistence
  liquid-mono3d train fusion --device cuda --workers 15 --out out/fusion
  liquid-mono3d train tokens --device cuda --workers 15 --lm MODEL --reader FILE --out out/tokens
"""
SIMULATION = "simulation"
"""In place of recordings."""


def main(arguments: Sequence[str]) -> int:
    """Train and write weights, a log and its picture; 1 if the weights were not kept."""
    given = _parse(arguments)
    if given.what != "filter":
        return _network(given)
    if given.data == [SIMULATION]:
        from liquid_mono3d_ros.train.filter_recipe import follow  # needs torch

        follow(given.recipe, given.out, device=given.device, resume=given.resume)
        return 0
    from liquid_mono3d_ros.train.own_rig import fit

    kept = fit(
        given.data,
        given.out,
        rig=given.rig,
        recipe=given.recipe,
        device=given.device,
        resume=given.resume,
    )
    return 0 if kept else 1


def _network(given: argparse.Namespace) -> int:
    """Train the networks of the description on rendered scenes, or on simulated tracks."""
    if given.what == "persistence":  # minutes of one core
        from liquid_mono3d_ros.train import persistence_training

        persistence_training.follow(given.recipe, given.out)
        return 0
    options = {"device": given.device, "seconds": given.seconds, "workers": given.workers}
    if given.what == "video":
        from liquid_mono3d_ros.train import video_training

        video_training.follow(given.recipe, given.out, resume=given.resume, **options)
        return 0
    if given.resume:
        cure = "Begin again: a model takes minutes."
        raise ValueError(complain("--resume", f"left out for {given.what}", "it", cure))
    if given.what in ("fusion", "tokens"):
        return _fusion(given, options)
    from liquid_mono3d_ros.train import motion_training

    motion_training.follow(given.recipe, given.out, **options)
    return 0


def _fusion(given: argparse.Namespace, options: dict[str, Any]) -> int:
    """Train what fuses video and states, or the tokens that a language model reads of it."""
    if given.video:
        options["video"] = given.video
    if given.what == "fusion":
        from liquid_mono3d_ros.train import fusion_training

        fusion_training.follow(given.recipe, given.out, **options)
        return 0
    if not (given.lm and given.reader):
        cure = "Give a model's directory, and a reader of `liquid-mono3d train fusion`."
        raise ValueError(complain("--lm and --reader", "given for tokens", "neither or one", cure))
    from liquid_mono3d_ros.train import token_training

    token_training.follow(given.recipe, given.out, lm=given.lm, reader=given.reader, **options)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liquid-mono3d train",
        description="Train what the package ships, or your own.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what",
        choices=("filter", "video", "motion", "persistence", "fusion", "tokens"),
        help="filter: advises the bank of filters; video: features of crops; "
        "motion: names of motions; persistence: judges which tracks last; "
        "fusion: reads video and states together; tokens: tells a language model of it",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=[SIMULATION],
        metavar="BAG",
        help="recordings of your rig (MCAP) to fit the filter to, or simulation (default)",
    )
    parser.add_argument(
        "--rig", default="", metavar="FILE", help="calibration, for recordings of 2D tracks alone"
    )
    parser.add_argument("--recipe", help="YAML file (default: config/recipes/WHAT.yaml)")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--seconds", type=float, help="longest training (not filter)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that draw (not filter; default: 1)"
    )
    parser.add_argument("--video", help="weights of the video encoder (fusion, tokens)")
    parser.add_argument("--lm", metavar="DIR", help="language model (tokens)")
    parser.add_argument("--reader", help="file of train fusion (tokens)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    return parser.parse_args(arguments)
