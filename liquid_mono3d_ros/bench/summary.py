"""Recording of the road → the numbers of ``summary.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.measuring import path_length
from liquid_mono3d_ros.bench.recordings import RoadRecording
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import (
    Description,
    Facts,
    Kind,
    Label,
    Quantity,
)

COUNT = "count "
"""What a count is called in /diagnostics begins so."""
NO_LOSS = (
    *("written", "images", "outputs", "points", "bearings", "epochs", "extrapolated"),
    *("calibration_changed", "clock_jump", "reset_service", "reference_replaced"),
)
"""Counts of what is no loss."""
WORDS = ("description", "facts")
"""Parts of a summary that are no row of its table."""


def summarise(
    recording: RoadRecording, latency: Mapping[str, Any], cameras: Sequence[str]
) -> dict[str, Any]:
    """Return the summary of one run; numbers that are not known are None.

    Path, speeds and reprojection error are those of the track that was measured most often. The
    reprojection error is the median length of a residual, over all its frames and cameras.

    Args:
        recording: What the road published.
        latency: What the probe wrote; empty when there was none.
        cameras: Names, the reference camera first.
    """
    stamps = {image.stamp for image in recording.tracks2d.get(cameras[0], ())}
    played = latency.get("images", {})
    track = recording.main_track
    states = recording.states(track) if track is not None else []
    speeds = np.array([np.linalg.norm(state.velocity) for state in states])
    description = last_description(recording)
    player = recording.health.get("player")
    times = latency.get("image_to_pose_ms", {})
    return {
        "cameras": list(cameras),
        "frames": max(len(stamps), played.get(cameras[0], 0)),
        "frames_with_pose": len(stamps & recording.posed),
        "reprojection_px_median": _median(_residuals(recording, track)),
        "path_length_m": path_length(states) if len(states) > 1 else None,
        "speed_median_mps": _median(speeds),
        "speed_p95_mps": _number(np.percentile(speeds, 95)) if len(speeds) else None,
        "image_to_pose_ms": {name: _number(times.get(name, math.nan)) for name in ("p50", "p99")},
        "dropped": dropped(recording, sum(played.values())),
        "play_rate": _parsed(player.values.get("play_rate", "")) if player else None,
        "nodes": sorted(recording.health),
        "description": description.text if description else None,
        "facts": facts_document(description.facts) if description else None,
    }


def last_description(recording: RoadRecording) -> Description | None:
    """Return the last words about the track that was measured most often, or about any."""
    spoken = list(recording.descriptions)
    track = recording.main_track
    mine = [d for d in spoken if (d.facts.epoch, d.facts.track_id) == track]
    return next(reversed(mine or spoken), None)


def dropped(recording: RoadRecording, played: int = 0) -> dict[str, int]:
    """Return node.cause → how much was lost, from the last diagnostics of each node.

    Args:
        recording: What the road published.
        played: Images that the player sent; 0 when that is not known. What did not reach the
            tracking nodes is ``tracking.not_received``.
    """
    received = sum(
        int(value)
        for node, health in recording.health.items()
        for key, value in health.values.items()
        if node.rpartition("/")[2].startswith("tracking") and key.endswith("image_raw received")
    )
    lost = {"tracking.not_received": played - received} if played > received else {}
    return lost | {
        f"{node}.{key.removeprefix(COUNT)}".replace(" ", "."): int(value)
        for node, health in sorted(recording.health.items())
        for key, value in health.values.items()
        if key.startswith(COUNT) and key.removeprefix(COUNT) not in NO_LOSS and int(value)
    }


def facts_document(facts: Facts) -> dict[str, Any]:
    """Return facts as JSON: value and sigma, or value and confidence; None where not known."""
    return {field.name: _as_json(getattr(facts, field.name)) for field in fields(facts)}


def table(summary: Mapping[str, Any], targets: Mapping[str, str] | None = None) -> str:
    """Return the numbers of a summary as text, with the target beside each that has one.

    Example:
        >>> print(table({"frames": 100, "path_length_m": 1.6123}, {"path_length_m": "1.5 to 1.8"}))
        frames         100
        path_length_m  1.612  (target: 1.5 to 1.8)
    """
    rows = [(name, _cell(value)) for name, value in summary.items() if name not in WORDS]
    width = max(len(name) for name, _ in rows)
    beside = {name: f"  (target: {target})" for name, target in (targets or {}).items()}
    return "\n".join(f"{name:<{width}}  {cell}{beside.get(name, '')}" for name, cell in rows)


def _residuals(recording: RoadRecording, track: tuple[int, int] | None) -> Array:
    """Return the length of every residual of a track, one for each camera and frame, (N,) px."""
    residuals = [
        sighting.residual_px
        for points in recording.points3d
        for row in np.flatnonzero(points.kind == Kind.POINT)
        if (points.epoch, points.track_id[row]) == track
        for sighting in points.sightings[row]
    ]
    lengths = np.linalg.norm(np.array(residuals).reshape(-1, 2), axis=1)
    return np.asarray(lengths[np.isfinite(lengths)])


def _median(values: Array) -> float | None:
    return _number(np.median(values)) if len(values) else None


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _parsed(text: str) -> float | None:
    try:
        return _number(float(text))
    except ValueError:
        return None


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(part) for part in value] if all(part.known for part in value) else None
    if isinstance(value, Quantity):
        return {"value": value.value, "sigma": value.sigma} if value.known else None
    if isinstance(value, Label):
        return {"value": value.value, "confidence": value.confidence} if value.known else None
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)
