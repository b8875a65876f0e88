from collections.abc import Callable

import numpy as np
import pytest

from liquid_mono3d_ros.records import Kind, Points3D, Sighting


@pytest.fixture
def make_points() -> Callable[..., Points3D]:
    return build_points


def build_points(
    stamp, xyz=(), covariance=None, *, sigma=0.02, ids=None, epoch=0, rays=None, **fields
):
    """Points of N objects seen by cameras a and b; ``rays``: origin and direction of bearings."""
    bearing = rays is not None
    place = np.array(rays[0] if bearing else xyz, dtype=float).reshape(-1, 3)
    n = len(place)
    nan = np.full((n, 3), np.nan)
    if covariance is None:
        covariance = np.tile(np.eye(3) * sigma**2, (n, 1, 1))
    cameras = "a" if bearing else "ab"
    seen = tuple(Sighting(c, 1, stamp, np.full(2, np.nan), True) for c in cameras)
    values = {
        "frame_id": "world",
        "track_id": np.array(range(n) if ids is None else ids, dtype=np.uint64),
        "kind": np.full(n, Kind.BEARING if bearing else Kind.POINT, dtype=np.uint8),
        "xyz": nan if bearing else place,
        "covariance": np.full((n, 3, 3), np.nan) if bearing else np.array(covariance, dtype=float),
        "systematic_covariance": np.full((n, 3, 3), np.nan),
        "ray_origin": place if bearing else nan,
        "ray_direction": np.array(rays[1], dtype=float).reshape(-1, 3) if bearing else nan,
        "ray_covariance": np.tile(np.eye(2) * (sigma**2 if bearing else np.nan), (n, 1, 1)),
        "reprojection_error_px": np.full(n, np.nan if bearing else 0.5),
        "parallax_rad": np.full(n, np.nan if bearing else 0.2),
        "sightings": (seen,) * n,
    }
    return Points3D(stamp=stamp, epoch=epoch, **{**values, **fields})
