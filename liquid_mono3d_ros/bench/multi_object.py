"""Several objects at once, from detections to trajectories: names kept, and ghosts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import State, Trajectories
from liquid_mono3d_ros.synth.paths import Circle, FigureEight, Helix, Path
from liquid_mono3d_ros.synth.rigs import ring_rig
from liquid_mono3d_ros.synth.scene import simulate, track, true_time

SCENES: dict[str, tuple[Path, ...]] = {
    "crossing": (
        FigureEight(centre=(0.0, 0.0, 1.0), size=1.2, rate=1.2),
        Circle(centre=(0.0, 0.0, 1.2), radius=1.0, rate=1.1, phase=4.0),
        Circle(centre=(0.2, 0.1, 0.8), radius=0.8, rate=-1.4, phase=1.2),
    ),
    "in the plane of the cameras": (
        FigureEight(centre=(0.0, 0.0, 2.0), size=1.2, rate=1.2),
        Helix(centre=(0.0, 0.0, 1.7), radius=1.0, rate=1.1, climb=0.05, phase=4.0),
        Helix(centre=(0.2, 0.1, 2.3), radius=0.8, rate=-1.4, climb=-0.05, phase=1.2),
    ),
}
"""Three objects before cameras 2 m high; in 12 s they come as near as 0.39 and 0.29 m.

In the second scene they cross the plane of the three cameras, where every pair of pixels is on one
epipolar line.
"""
NEAR = 0.3
"""A trajectory within this distance of an object is taken for it, m."""
START = 1.0
"""Seconds in which objects may be found before they count."""


@dataclass
class Score:
    """What became of each object and of each trajectory that is none.

    Attributes:
        names: Object → the number of its trajectory in each frame; 0 without one.
        stray_since: Number of a trajectory that is near no object → since when, s.
        oldest_ghost: Longest time on end for which a trajectory was near no object, s.
        errors: Distances of trajectories to their objects, m.
    """

    names: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    stray_since: dict[int, float] = field(default_factory=dict)
    oldest_ghost: float = 0.0
    errors: list[float] = field(default_factory=list)

    def add(self, now: Trajectories, truth: Array, time: float) -> None:
        """Compare the trajectories believed at one instant with the objects (N, 3) m."""
        believed = [t for t in now.trajectories if t.state in (State.CONFIRMED, State.COASTING)]
        xyz = np.array([t.xyz for t in believed]).reshape(-1, 3)
        distance = np.linalg.norm(truth[:, None] - xyz, axis=2)  # (objects, trajectories)
        near = np.where(distance < NEAR, distance, 1e3)
        pairs = np.transpose(linear_sum_assignment(near)).tolist()
        found = {i: j for i, j in pairs if near[i, j] < NEAR}
        for n in range(len(truth)):
            self.names[n].append(believed[found[n]].track_id if n in found else 0)
        self.errors += [float(distance[i, j]) for i, j in found.items()]
        stray = {t.track_id for j, t in enumerate(believed) if j not in found.values()}
        self.stray_since = {name: self.stray_since.get(name, time) for name in stray}
        ages = [time - since for since in self.stray_since.values()]
        self.oldest_ghost = max(self.oldest_ghost, *ages, 0.0)

    def kept_percent(self) -> float:
        """Return the share of frames in which an object bore the name it mostly bears."""
        kept = []
        for names in self.names.values():
            own = Counter(name for name in names if name).most_common(1)
            kept += [bool(own) and name == own[0][0] for name in names]
        return 100.0 * float(np.mean(kept))


def measure(
    *, seeds: int = 10, duration: float = 12.0, clutters: Sequence[float] = (0.3, 3.0)
) -> Report:
    """Follow three objects with three free-running cameras at 30 Hz, 1 px noise, 10 % drops.

    Args:
        seeds: Of each scene.
        duration: s.
        clutters: False detections per image, one scene each.
    """
    rows = [
        play(name, seed, duration, clutter)
        for name in SCENES
        for clutter in clutters
        for seed in range(seeds)
    ]
    worst = [
        min(row["identity_kept_percent"] for row in rows),
        max(row["oldest_ghost_s"] for row in rows),
    ]
    mean = float(np.mean([row["identity_kept_percent"] for row in rows]))
    return Report(
        "multi_object",
        rows,
        (
            Target("identity_kept_mean_percent", mean, 98.0, at_most=False),
            Target("identity_kept_worst_percent", worst[0], 98.0, at_most=False),
            Target("oldest_ghost_s", worst[1], 0.5),
        ),
    )


def play(name: str, seed: int, duration: float, clutter: float) -> dict[str, Any]:
    """Return the row of one scene."""
    paths, rig = SCENES[name], ring_rig(3)
    shots = simulate(paths, rig, duration=duration, drop=0.1, clutter=clutter, seed=seed)
    triangulator, score = Triangulator(GeometrySettings(), rig), Score()
    follow = TrackFilter(FilterSettings())
    reference = rig.cameras["camera0"]
    for tracks in track(shots, rig):
        for points in triangulator.add(tracks):
            now, time = follow.update(points).now, true_time(reference, points.stamp)
            if time > START:
                truth = np.array([path.xyz(np.array([time]))[0] for path in paths])
                score.add(now, truth, time)
    return {
        "scene": name,
        "clutter_per_image": clutter,
        "seed": seed,
        "identity_kept_percent": score.kept_percent(),
        "oldest_ghost_s": score.oldest_ghost,
        "median_mm": 1e3 * float(np.median(score.errors)),
        "p99_mm": 1e3 * float(np.percentile(score.errors, 99)),
    }
