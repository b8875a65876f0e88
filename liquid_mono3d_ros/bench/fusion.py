"""What each system reads from its embedding on scenes it has not seen. Needs torch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import liquid_mono3d_ros
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import complain

VIDEO = Path(liquid_mono3d_ros.__file__).parent / "weights" / "video.safetensors"
CLOCKS: dict[str, dict[str, Any]] = {
    "equal": {},
    "late": {},
    "shifted": {"video_delay": (0.14, 0.2), "video_rate": 12.0, "state_rate": 45.0},
}
"""Under which a reader is tested → how its scenes differ from the late ones; equal: on time."""
LATE = {"video_delay": (0.08, 0.14)}
FUSED = ("static", "gru", "transformer", "liquid", "cross")
Z95 = 1.959964


def measure(
    *,
    weights: str | Path,
    video: str | Path = VIDEO,
    scenes: int = 2800,
    cues: int = 6000,
    seed: int = 31,
) -> Report:
    """Measure the readers of a folder on held-out rigs and backgrounds.

    A reader trained on one clock is tested on one; one trained on late video on as late video, and
    on later video at other rates. Ceilings are those of one stream alone, from the generator.

    Args:
        weights: Folder of ``liquid-mono3d train fusion``: fusion-SYSTEM-CONDITION.safetensors.
        video: Weights of the video encoder that they were trained with.
        scenes: Of each clock, two objects each.
        cues: Scenes from which the ceilings are told, not rendered.
        seed: Of the scenes.
    """
    from liquid_mono3d_ros.fusion.reader import SYSTEMS, load_reader
    from liquid_mono3d_ros.synth.cues import ceilings
    from liquid_mono3d_ros.synth.sights import Staging
    from liquid_mono3d_ros.train.fusion_data import draw_lessons
    from liquid_mono3d_ros.train.fusion_scores import score
    from liquid_mono3d_ros.train.fusion_training import CONDITIONS
    from liquid_mono3d_ros.video.encoder import load_encoder

    files = {
        (system, trained): path
        for trained in CONDITIONS
        for system in SYSTEMS
        if (path := Path(weights) / f"fusion-{system}-{trained}.safetensors").is_file()
    }
    if not files:
        cure = "Train them with `liquid-mono3d train fusion`."
        raise FileNotFoundError(complain("weights", "a folder of readers", str(weights), cure))
    encoder = load_encoder(video)
    held_out = {n: Staging(split="test", **{**LATE, **own}) for n, own in CLOCKS.items()}
    lessons = {n: draw_lessons(held_out[n], scenes, seed, encoder) for n in ("late", "shifted")}
    lessons["equal"] = lessons["late"].on_time()
    rows = []
    for (system, trained), path in files.items():
        reader = load_reader(path)
        for clocks in CONDITIONS[trained]:
            for control in ("", "shuffled", "zeroed") if system == "liquid" else ("",):
                counts = score(reader, lessons[clocks], control)
                named = {"system": system, "control": control or "none", "clocks": clocks}
                rows += [row_of({**named, "attribute": a}, **c) for a, c in counts.items()]
    alone = ceilings(held_out["late"], cues)
    limits = [
        {"attribute": name, **{f"{k}_ceiling_percent": 100 * v for k, v in alone[name].items()}}
        for name in dict.fromkeys(row["attribute"] for row in rows)
    ]
    return Report("fusion", [*limits, *rows], targets(rows, limits))


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, percent.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Example:
        >>> [round(end, 1) for end in wilson(50, 100)]
        [40.4, 59.6]
    """
    if n == 0:
        return 0.0, 100.0
    share, z2 = right / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 100 * (middle - half), 100 * (middle + half)


def row_of(named: dict[str, Any], right: int, n: int) -> dict[str, Any]:
    """Return a row of the table: the share that is right with its interval."""
    low, high = wilson(right, n)
    share = 100 * right / n if n else math.nan
    return {**named, "n": n, "right_percent": share, "low_percent": low, "high_percent": high}


def targets(rows: list[dict[str, Any]], limits: list[dict[str, Any]]) -> list[Target]:
    """Return the bars: fused over both ceilings on what needs both, and controls at chance."""
    from liquid_mono3d_ros.synth.sights import ATTRIBUTES

    limit = {one["attribute"]: one for one in limits}
    found = []
    for name in limit:
        if ATTRIBUTES[name].stream != "joint":
            continue
        fused = [
            row["right_percent"]
            for row in rows
            if row["attribute"] == name and row["clocks"] == "late" and row["control"] == "none"
            if row["system"] in FUSED
        ]
        if fused:
            best = max(limit[name][f"{k}_ceiling_percent"] for k in ("image", "3d"))
            over = max(fused) - best
            found.append(Target(f"{name}_over_ceilings_points", over, 10.0, at_most=False))
    for control in ("shuffled", "zeroed"):
        excess = [
            row["low_percent"] - limit[row["attribute"]]["chance_ceiling_percent"]
            for row in rows
            if row["control"] == control
        ]
        if excess:  # the interval's lower end, so that luck alone is no failure
            found.append(Target(f"{control}_over_chance_points", max(excess), 3.0))
    fewest = min((row["n"] for row in rows), default=0)
    return [*found, Target("fewest_n", float(fewest), 500.0, at_most=False)]
