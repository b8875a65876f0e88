"""Other trackers on the same detections: a script of its own that imports nothing of this package.

``python track_peers.py PEER RUNS FOLDER`` reads each ``SCENE.npz`` of the folder and writes
``SCENE.PEER.npz``. So a peer may live in another Python: norfair 2.3 asks for numpy < 2, trackers
2.6 for numpy >= 2. Each peer keeps a lost track for 1 s, as ours does; the rest are its defaults,
but for norfair's reach, which has none: 30 px.
"""

from __future__ import annotations

import importlib.metadata
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Update = Callable[[Any, float], tuple[Any, Any]]
"""(pixels (M, 2), side of the boxes px) → ids (K,), pixels (K, 2)."""


def bytetrack(rate: float) -> Update:
    """ByteTrack of Roboflow's ``trackers``."""
    from trackers import ByteTrackTracker

    return _roboflow(ByteTrackTracker(lost_track_buffer=30, frame_rate=rate))


def sort(rate: float) -> Update:
    """SORT of Roboflow's ``trackers``."""
    from trackers import SORTTracker

    return _roboflow(SORTTracker(lost_track_buffer=30, frame_rate=rate))


def norfair(rate: float) -> Update:
    """Return norfair with Euclidean distances of centres."""
    from norfair import Detection, Tracker

    second = round(rate)
    tracker = Tracker("euclidean", 30, hit_counter_max=second, initialization_delay=3)

    def update(uv: Any, side: float) -> tuple[Any, Any]:
        tracks = tracker.update([Detection(points=point[None]) for point in uv])
        ids = np.array([track.id for track in tracks], dtype=np.int64)
        return ids, np.array([track.estimate[0] for track in tracks]).reshape(-1, 2)

    return update


def _roboflow(tracker: Any) -> Update:
    from supervision import Detections

    def update(uv: Any, side: float) -> tuple[Any, Any]:
        xyxy = np.concatenate([uv - side / 2, uv + side / 2], axis=1)
        found = tracker.update(Detections(xyxy=xyxy, confidence=np.ones(len(uv))))
        known = found.tracker_id >= 0
        boxes = found.xyxy[known]
        return found.tracker_id[known], (boxes[:, :2] + boxes[:, 2:]) / 2

    return update


PEERS: dict[str, tuple[Callable[[float], Update], str]] = {
    "bytetrack": (bytetrack, "trackers"),
    "sort": (sort, "trackers"),
    "norfair": (norfair, "norfair"),
}
"""Name → what makes it, and the package it comes from."""


def play(make: Callable[[float], Update], scene: Any) -> dict[str, Any]:
    """Track a scene of an npz file; return ids, pixels, images and the CPU time."""
    update, side = make(float(scene["rate"])), float(scene["side"])
    images = np.split(scene["uv"], np.cumsum(scene["number"])[:-1])
    start = time.process_time()
    found = [update(uv, side) for uv in images]
    spent = time.process_time() - start
    return {
        "track_id": np.concatenate([ids for ids, _ in found]),
        "uv": np.concatenate([uv for _, uv in found]),
        "number": np.array([len(ids) for ids, _ in found]),
        "ms_per_frame": 1e3 * spent / len(images),
    }


def main(peer: str, runs: int, folder: Path) -> None:
    """Track every scene of the folder ``runs`` times; the fastest counts."""
    make, package = PEERS[peer]
    version = importlib.metadata.version(package)
    for path in sorted(folder.glob("*.scene.npz")):
        with np.load(path) as scene:
            tracks = [play(make, dict(scene)) for _ in range(runs)]
        best = min(tracks, key=lambda track: float(track["ms_per_frame"]))
        target = path.with_suffix("").with_suffix(f".{peer}.npz")
        np.savez(target, version=f"{package} {version}", **best)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
