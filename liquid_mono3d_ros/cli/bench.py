"""``liquid-mono3d bench NAME --json FILE``: measure, print the table, write the JSON."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from liquid_mono3d_ros.bench.report import tables

BENCHES = {"pipeline": "latency and losses of the road, image to pose"}
QUICK = {"pipeline": {"runs": 1, "rounds": 4}}


def main(arguments: Sequence[str]) -> int:
    """Run one benchmark; a missed target is printed, not an error."""
    parser = argparse.ArgumentParser(prog="liquid-mono3d bench")
    parser.add_argument("name", choices=BENCHES, help="; ".join(map(": ".join, BENCHES.items())))
    parser.add_argument("--json", metavar="FILE", help="write the report there too")
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    parser.add_argument("--runs", type=int, help="repetitions, where the benchmark has them")
    given = parser.parse_args(arguments)
    module = importlib.import_module(f"liquid_mono3d_ros.bench.{given.name}")
    options = dict(QUICK[given.name] if given.quick else {})
    if given.runs:
        options["runs"] = given.runs
    report = module.measure(**options)
    print(tables(report.document()))
    if given.json:
        report.write(given.json)
    return 0
