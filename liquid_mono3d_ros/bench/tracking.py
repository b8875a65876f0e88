"""The 2D tracker beside its peers on seeded scenes, and on a real video of walkers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench import track_peers, vtest
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.bench.track_scenes import NOISE, RATE, SCENES, Scene
from liquid_mono3d_ros.bench.track_scores import TrackedImage, score
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import State, nanoseconds
from liquid_mono3d_ros.samples import SamplesUnavailable
from liquid_mono3d_ros.tracking.detection import Detections
from liquid_mono3d_ros.tracking.tracker import Tracker, TrackerSettings

OURS = "liquid-mono3d"


@dataclass(frozen=True)
class Tracked:
    """What a tracker returned for each image of a scene, and its CPU time for one."""

    images: list[TrackedImage]
    ms_per_frame: float
    version: str = ""


FIRST_SEED = 100
"""The tracker's defaults were chosen on scenes with smaller seeds."""


def measure(
    *,
    runs: int = 3,
    seeds: int = 3,
    peers_python: Sequence[str] = (sys.executable,),
    video: bool = True,
    figure: str | Path = "out/bench/vtest.png",
) -> Report:
    """Track every scene with every tracker that is installed.

    Args:
        runs: Of each scene; the fastest counts.
        seeds: Of each scene; switches, coverage and false tracks are their mean.
        peers_python: Interpreters that are asked for the peers, the first that has one wins.
        video: Whether the real video is measured too; the first time it is downloaded.
        figure: Where its annotated images go.
    """
    held_out = range(FIRST_SEED, FIRST_SEED + seeds)
    scenes = {f"{name}/{seed}": SCENES[name](seed) for name in SCENES for seed in held_out}
    tracked = {OURS: {name: track(scene, runs) for name, scene in scenes.items()}}
    for peer in track_peers.PEERS:
        found = track_with_peer(peer, scenes, runs, peers_python)
        if found:
            tracked[peer] = found
        else:
            print(f"{peer} is left out: install it, or name a Python that has it.")
    rows = [
        _row(name, tracker, scenes, results)
        for name in SCENES
        for tracker, results in tracked.items()
    ]
    targets = _targets(rows)
    if video:
        try:
            row = vtest.measure(figure)
        except SamplesUnavailable as error:
            print(error)
        else:
            rows.append(row)
            targets.append(Target("vtest_images_per_s", row["images_per_s"], 150.0, at_most=False))
    return Report("tracking", rows, targets)


def track(scene: Scene, runs: int) -> Tracked:
    """Track a scene with ours; what is scored is what is CONFIRMED or COASTING."""
    seen = [Detections.at(uv, NOISE, scene.boxes(k)) for k, uv in enumerate(scene.seen)]
    stamps = [nanoseconds(k / RATE) for k in range(len(seen))]
    spent = []
    for _ in range(runs):
        tracker = Tracker(TrackerSettings())
        start = time.process_time()
        tables = [tracker.update(image, stamp) for image, stamp in zip(seen, stamps, strict=True)]
        spent.append(time.process_time() - start)
    found = []
    for table in tables:
        believed = np.isin(table.state, (State.CONFIRMED, State.COASTING))
        found.append((table.track_id[believed], table.x[believed, :2]))
    return Tracked(found, 1e3 * min(spent) / len(seen))


def track_with_peer(
    peer: str, scenes: dict[str, Scene], runs: int, pythons: Sequence[str]
) -> dict[str, Tracked]:
    """Track the scenes with a peer in a process of its own; empty when no Python has it."""
    with tempfile.TemporaryDirectory() as scratch:
        for k, scene in enumerate(scenes.values()):
            number = [len(uv) for uv in scene.seen]
            np.savez(
                Path(scratch, f"{k}.scene.npz"),
                uv=np.concatenate(scene.seen),
                number=number,
                side=scene.side,
                rate=RATE,
            )
        for python in filter(shutil.which, pythons):
            command = [python, track_peers.__file__, peer, str(runs), scratch]
            one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, env=one_core, capture_output=True, check=False)
            if done.returncode == 0:
                files = (Path(scratch, f"{k}.{peer}.npz") for k in range(len(scenes)))
                return {name: _read(file) for name, file in zip(scenes, files, strict=True)}
    return {}


def _read(path: Path) -> Tracked:
    with np.load(path) as file:
        ends = np.cumsum(file["number"])[:-1]
        images = zip(np.split(file["track_id"], ends), np.split(file["uv"], ends), strict=True)
        return Tracked(list(images), float(file["ms_per_frame"]), str(file["version"]))


def _row(
    name: str, tracker: str, scenes: dict[str, Scene], results: dict[str, Tracked]
) -> dict[str, Any]:
    own = [seed for seed in scenes if seed.startswith(f"{name}/")]
    scores = [score(scenes[s].uv, scenes[s].visible, results[s].images) for s in own]
    switches: Array = np.array([s.switches for s in scores])
    return {
        "scene": name,
        "tracker": tracker,
        "version": results[own[0]].version,
        "ms_per_frame": min(results[seed].ms_per_frame for seed in own),
        "switches": float(switches.mean()),
        "switches_worst": int(switches.max()),
        "coverage": float(np.mean([s.coverage for s in scores])),
        "false_tracks": float(np.mean([s.false_tracks for s in scores])),
    }


def _targets(rows: Sequence[dict[str, Any]]) -> list[Target]:
    ours = [row for row in rows if row["tracker"] == OURS]
    crowd, small, _ = ours
    targets = [
        Target("crowd_ms_per_frame", crowd["ms_per_frame"], 1.0),
        Target("crowd_switches_worst", crowd["switches_worst"], 4),
        Target("small_switches_worst", small["switches_worst"], 10),
    ]
    for row in rows:
        if row["scene"] == crowd["scene"] and row["tracker"] != OURS:
            ratio = row["ms_per_frame"] / crowd["ms_per_frame"]
            targets.append(Target(f"crowd_times_faster_than_{row['tracker']}", ratio, 1.0, False))
    return targets
