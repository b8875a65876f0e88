"""``liquid-mono3d bench NAME --json FILE``: measure, print the table, write the JSON."""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.bench.report import tables
from liquid_mono3d_ros.checks import complain

BENCHES = {
    "tracking": "2D tracker beside its peers; a film of walkers",
    "triangulation": "speed, gross errors beside peers, honesty of the covariance",
    "multi_object": "several objects at once: names kept, ghosts",
    "sync": "cameras that run freely; clock offsets told from the tracks",
    "clip": "consistency on the real clip",
    "cells": "liquid cells beside ncps, GRU and ODE solvers: step and training (needs torch)",
    "learning": "liquid cells beside GRU, GRU-D, LSTM on irregular samples (needs torch)",
    "filter": "filters of 3D tracks beside tuned classical ones, on simulated flights",
    "filter_step": "what a step of the running filter costs, beside filterpy's IMM",
    "filter_twins": "liquid, GRU, CfC, Transformer over the same bank, of equal sizes (--data)",
    "persistence": "which tracks last: the judge beside M of N, IPDA, a sequential test",
    "motion_classes": "names of motions: networks beside a fit of every family (--weights)",
    "fusion": "what is read from sight and states together, beside either alone (--weights)",
    "video": "the video encoder: pictures back from codes, labels from features (needs torch)",
    "drone_filter": "the filters alone on recorded flights with redrawn noise (--data)",
    "drone": "error against RTK on recorded flights (--data)",
    "pipeline": "latency and losses of the road, image to pose",
}
QUICK: dict[str, dict[str, Any]] = {
    "tracking": {"runs": 1, "seeds": 1, "video": False},
    "triangulation": {"points": 1000, "draws": 200, "slow_points": 20},
    "multi_object": {"seeds": 1},
    "sync": {"seeds": 2, "duration": 5.0},
    "cells": {"runs": 5, "quick": True},
    "learning": {"seeds": 1, "steps": 60, "missing": (0.5,)},
    "filter": {"quick": True},
    "filter_twins": {"tracks": 60},
    "persistence": {"quick": True},
    "motion_classes": {
        "n": 200,
        "views": {},
        "recipe": {"seeds": 1, "tracks": 2000, "steps": 300},
    },
    "video": {"scenes": 40, "given": 80, "views": 40},
    "drone_filter": {"seeds": 1},
    "pipeline": {"runs": 1, "rounds": 4},
}
OPTIONS = ("runs", "data", "cameras", "figure", "weights", "peers_python", "device", "search")


def main(arguments: Sequence[str]) -> int:
    """Run one benchmark; a missed target is printed, not an error."""
    given = _parse(arguments)
    measure = importlib.import_module(f"liquid_mono3d_ros.bench.{given.name}").measure
    known = inspect.signature(measure).parameters
    options = dict(QUICK.get(given.name, {}) if given.quick else {})
    for option in OPTIONS:
        value = getattr(given, option)
        if value is None:
            continue
        if option not in known:
            rule = f"left out for {given.name}"
            cure = "See `liquid-mono3d bench --help`."
            raise ValueError(complain(f"--{option.replace('_', '-')}", rule, str(value), cure))
        options[option] = value
    if "data" in known and "data" not in options:
        cure = "Name one or more folders."
        raise ValueError(complain("--data", f"given for {given.name}", "nothing", cure))
    report = measure(**options)
    print(tables(report.document()))
    if given.json:
        report.write(given.json, _command(given))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="liquid-mono3d bench")
    parser.add_argument("name", choices=BENCHES, help="; ".join(map(": ".join, BENCHES.items())))
    parser.add_argument("--json", metavar="FILE", help="write the report there too")
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    parser.add_argument("--runs", type=int, help="repetitions (tracking, cells, pipeline)")
    parser.add_argument(
        "--data", nargs="+", metavar="DIR", help="recorded flights (drone), or trained models"
    )
    parser.add_argument(
        "--cameras",
        nargs="+",
        metavar="A+B",
        help="sets to score, or pairs for every pair (drone)",
    )
    parser.add_argument(
        "--figure", metavar="FILE", help="write pictures (tracking, sync, learning, filter)"
    )
    parser.add_argument("--weights", metavar="PATH", help="what to score (video, motion_classes)")
    parser.add_argument(
        "--peers-python", nargs="+", metavar="PYTHON", help="that have the peers (tracking)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where to run (cells)")
    parser.add_argument(
        "--search", action="store_true", default=None, help="tune the baselines again (filter)"
    )
    return parser.parse_args(arguments)


def _command(given: argparse.Namespace) -> str:
    """Return the command that measures again, with the names of folders and no paths."""
    words = ["liquid-mono3d bench", given.name]
    words += ["--quick"] if given.quick else []
    words += ["--runs", str(given.runs)] if given.runs else []
    words += ["--data", *(Path(folder).name for folder in given.data)] if given.data else []
    words += ["--cameras", *given.cameras] if given.cameras else []
    return " ".join(words)
