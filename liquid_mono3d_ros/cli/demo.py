"""``liquid-mono3d demo``: a recording through the whole road, as processes, and what came out."""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.bench.evidence import (
    disagreements,
    known_facts,
    recomputed_facts,
    unsupported_numbers,
)
from liquid_mono3d_ros.bench.recordings import RoadRecording, read_road
from liquid_mono3d_ros.bench.summary import last_description, summarise, table
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.clip import ClipUnavailable, fetch_clip
from liquid_mono3d_ros.geometry.rig import load_rig
from liquid_mono3d_ros.plan import Plan, plan_demo
from liquid_mono3d_ros.processes import Supervisor
from liquid_mono3d_ros.resources import share_path

CLIP_CAMERAS = ("cam01", "cam02", "cam04")
"""cam03 disagrees with the other three by about 24 px."""
CLIP_TARGETS = {
    "frames_with_pose": "99 of 100",
    "reprojection_px_median": "at most 4",
    "path_length_m": "1.5 to 1.8",
    "speed_median_mps": "0.75 to 0.95",
    "play_rate": "at least 0.2",
}
OUTPUTS = ("road.mcap", "latency.json", "summary.json", "road.png")
DRAIN = 1.0
"""Seconds the other nodes get for the last images after the player has ended."""


@dataclass(frozen=True)
class Show:
    """What is played.

    Attributes:
        rig_path: Calibration.
        cameras: Names, the reference camera first.
        params_file: Parameters of the nodes.
        play_rate: Recorded seconds per second.
        videos: Camera → file; empty for synthetic images.
        targets: What the summary is expected to say.
    """

    rig_path: Path
    cameras: tuple[str, ...]
    params_file: Path
    play_rate: float = 1.0
    videos: Mapping[str, Path] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)

    def plan(self, out: Path) -> Plan:
        """Return the processes; they write ``road.mcap`` and ``latency.json`` into a folder."""
        videos = ",".join(f"{name}={path}" for name, path in self.videos.items())
        given = {
            "rig": str(self.rig_path),
            "cameras": ",".join(self.cameras),
            "videos": videos,
            "params_file": str(self.params_file),
            "play_rate": str(self.play_rate),
            "prerender": "false" if videos else "true",
            "record": str(out / "road.mcap"),
            "probe": str(out / "latency.json"),
            "progress": "true",
            "log_level": "warn",
        }
        plan = plan_demo(given)
        private = {
            "ROS_DOMAIN_ID": str(random.randint(1, 101)),  # as many as every system allows
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        return replace(plan, environment={**plan.environment, **private})


def main(arguments: Sequence[str]) -> int:
    """Play, then report; return 1 if a node failed or nothing came out."""
    given = _parse(arguments)
    show = choose(given.rig)
    if given.rate is not None:
        show = replace(show, play_rate=given.rate)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        (given.out / name).unlink(missing_ok=True)
    failed = play(show.plan(given.out))
    recording = read_road(given.out / "road.mcap")
    summary = report(show, recording, given.out)
    if failed or not summary["frames_with_pose"]:
        return 1
    from liquid_mono3d_ros.cli.figure import draw_road, middle_views

    rig = load_rig(show.rig_path)
    views = middle_views(rig, show.cameras, show.videos, recording)
    draw_road(recording, rig, views, summary, given.out / "road.png")
    if given.readme:
        draw_road(recording, rig, views, summary, given.readme, anonymous=True)
    print(f"The picture: {given.out / 'road.png'}; the recording: {given.out / 'road.mcap'}")
    return 0


def choose(rig: str) -> Show:
    """Return what to play: the clip, the synthetic rig, or synthetic images of a rig file.

    Without a network the clip cannot be fetched; that is said, and the synthetic rig is played.
    """
    if rig == "clip":
        try:
            clip = fetch_clip()
        except ClipUnavailable as error:
            print(f"{error}\nPlaying the synthetic rig instead.")
            return choose("synthetic")
        videos = {name: clip.videos[name] for name in CLIP_CAMERAS}
        parameters = share_path("config/clip.yaml")
        return Show(clip.rig_path, CLIP_CAMERAS, parameters, 0.25, videos, CLIP_TARGETS)
    path = share_path("config/rigs/stereo_synthetic.yaml") if rig == "synthetic" else Path(rig)
    if not path.is_file():
        rule = "clip, synthetic or a rig file"
        raise FileNotFoundError(complain("--rig", rule, repr(rig), "Check the path."))
    return Show(path, tuple(load_rig(path).cameras), share_path("config/synthetic.yaml"))


def play(plan: Plan) -> Mapping[str, int]:
    """Run the processes until the player ends; return those that failed, with their status."""
    with Supervisor(plan) as supervisor:
        supervisor.wait(until="player")
        time.sleep(DRAIN)
    return supervisor.failed


def report(show: Show, recording: RoadRecording, out: Path) -> dict[str, Any]:
    """Print what came out and write ``summary.json``; return the summary."""
    probe = out / "latency.json"
    latency = json.loads(probe.read_text(encoding="utf-8")) if probe.is_file() else {}
    summary = summarise(recording, latency, show.cameras)
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    (out / "summary.json").write_text(text + "\n", encoding="utf-8")
    print(table(summary, show.targets))
    print(_borne_out(recording))
    return summary


def _borne_out(recording: RoadRecording) -> str:
    """Return the words, and whether the recording bears them out."""
    description = last_description(recording)
    if description is None:
        return "No words: no track was seen for long enough."
    facts = description.facts
    wrong = disagreements(facts, recomputed_facts(recording, facts))
    number = len(known_facts(facts))
    unsupported = unsupported_numbers(description)
    lines = [
        f"\n{description.text}\n",
        f"facts recomputed from the recording: {number - len(wrong)} of {number} agree",
        *wrong,
        "every number in the words is a fact",
    ]
    if unsupported:
        lines[-1] = f"numbers in the words that no fact has: {', '.join(unsupported)}"
    return "\n".join(lines)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="liquid-mono3d demo", description=__doc__)
    parser.add_argument("--rig", default="clip", help="clip, synthetic, or a rig file")
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder for the results"
    )
    parser.add_argument("--rate", type=float, help="recorded seconds per second")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="also draw the picture without people in it"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
