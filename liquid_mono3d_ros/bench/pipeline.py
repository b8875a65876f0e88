"""Latency and losses of the whole road as separate processes: images in, poses out."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.plan import plan_demo
from liquid_mono3d_ros.processes import Supervisor

FORTH = 38
"""Frames of the pre-rendered motion; played forth and back it is 75 frames long."""
ROUNDS = 24
RATE = 30.0
ROAD = ("tracking", "triangulation", "liquid_filter", "description")
PHASES = {"equal stamps": "", "free-running": "0,0.5"}


def measure(*, runs: int = 5, rounds: int = ROUNDS) -> Report:
    """Play two synthetic 640×480 cameras at 30 Hz through the road, several times.

    Args:
        runs: Of each arrangement of the clocks.
        rounds: Of the 75-frame recording in each run; 24 make one minute.
    """
    rows, targets = [], []
    for clocks, phases in PHASES.items():
        measured = [_play(clocks, phases, rounds) for _ in range(runs)]
        rows += [{"run": number + 1, **row} for number, row in enumerate(measured)]
        p99 = [row["image_to_pose_p99_ms"] for row in measured]
        lost = [row["images_lost"] for row in measured]
        name = clocks.replace(" ", "_")
        targets += [
            Target(f"{name}_p99_median_ms", median(p99), 40.0),
            Target(f"{name}_p99_worst_ms", max(p99), 40.0),
            Target(f"{name}_images_lost", sum(lost), 0),
        ]
    return Report("pipeline", rows, targets)


def _play(clocks: str, phases: str, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.json"
        given = {
            "duration": str(FORTH / RATE),
            "repeat": str(rounds),
            "phases": phases,
            "probe": str(probe),
            "prerender": "true",
            "wall_time": "true",
            "log_level": "warn",
        }
        with Supervisor(plan_demo(given)) as supervisor:
            time.sleep(5.0)  # imports are over, the player waits for its readers
            before = cpu_seconds(supervisor)
            start = time.monotonic()
            supervisor.wait(until="player", tick=0.05)
            wall = time.monotonic() - start
            after = cpu_seconds(supervisor)
        result = json.loads(probe.read_text(encoding="utf-8"))
    images = sum(result["images"].values())
    row: dict[str, Any] = {
        "clocks": clocks,
        "images": images,
        "images_lost": images - sum(result["tracked"].values()),
        "poses": result["poses"],
        "image_to_pose_p50_ms": result["image_to_pose_ms"]["p50"],
        "image_to_pose_p99_ms": result["image_to_pose_ms"]["p99"],
        "total_age_p99_ms": result["total_age_ms"]["p99"],
    }
    for name in ROAD:
        row[f"{name}_cpu_percent"] = 100.0 * (after[name] - before[name]) / wall
    return row


def cpu_seconds(supervisor: Supervisor) -> dict[str, float]:
    """Return the processor time each running process has used."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {}
    for name, process in supervisor.running.items():
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        used[name] = (int(user) + int(system)) / ticks
    return used
