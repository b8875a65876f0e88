"""Time from the last image a pose needs to the pose, on the monotonic clock of one host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from liquid_mono3d_ros.checks import Array


def image_to_pose_ms(
    images: Mapping[str, Iterable[tuple[int, int]]], poses: Iterable[tuple[int, int]]
) -> tuple[Array, Array]:
    """Return how long each pose took.

    A pose at stamp t needs, of each camera, the first image at or after t: without it the camera's
    track cannot be interpolated. Poses without such an image in every camera were extrapolated;
    the newest image before their arrival counts for that camera.

    Args:
        images: For each camera, (stamp ns, monotonic ns at which the image was published).
        poses: (stamp ns, monotonic ns at which the pose was received).

    Returns:
        Milliseconds since the last image needed, (N,), and since the image with the pose's own
        stamp was published, (N,); NaN where no image has that stamp.
    """
    cameras = [np.array(sorted(pairs), np.int64).reshape(-1, 2) for pairs in images.values()]
    after_last, age = [], []
    for stamp, arrival in poses:
        published = [_publication(camera, stamp, arrival) for camera in cameras]
        own = [t for camera in cameras for s, t in camera[camera[:, 0] == stamp].tolist()]
        after_last.append((arrival - max(published, default=arrival)) / 1e6)
        age.append((arrival - min(own)) / 1e6 if own else np.nan)
    return np.array(after_last), np.array(age)


def _publication(camera: Array, stamp: int, arrival: int) -> int:
    """Return when the image of one camera that a pose needs was published."""
    needed = camera[camera[:, 0] >= stamp, 1]
    if needed.size and needed[0] <= arrival:
        return int(needed[0])
    before = camera[camera[:, 1] <= arrival, 1]
    return int(before.max(initial=0))


def summary_ms(values: Array) -> dict[str, float]:
    """Return p50, p99 and the worst, ms; NaN values are left out."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {"p50": float("nan"), "p99": float("nan"), "worst": float("nan")}
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "worst": float(values.max())}
