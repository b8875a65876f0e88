"""Whatever comes in: an error sentence, or a counted drop, and never NaN in a point."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.geometry.camera import Camera
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.rotation import matrix_from_quat_xyzw
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.records import Kind, State, Tracks2D

SIZE = (640, 480)
NASTY = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e9, -1e9, 319.5])
PIXEL = st.one_of(st.floats(-50, 700), NASTY)
STAMP = st.one_of(
    st.integers(0, 40).map(lambda k: k * 33_333_333),
    st.sampled_from([0, 1, 2**62, -(2**62), 1_700_000_000_000_000_000]),
)


@st.composite
def rigs(draw):
    """Random cameras, some at one place, some looking away, with any clock."""
    cameras = {}
    for k in range(draw(st.integers(2, 4))):
        quat = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
        length = np.linalg.norm(quat)
        quat = quat / length if length > 0.1 else np.array([0.0, 0.0, 0.0, 1.0])
        place = draw(st.tuples(*[st.sampled_from([0.0, 0.1, -2.0, 5.0])] * 3))
        R_cw = matrix_from_quat_xyzw(quat)
        distortion = draw(
            st.sampled_from([[], [-0.3, 0.1, 0.0, 0.0, 0.0], [2.0, -5.0, 0, 0, 9.0]])
        )
        cameras[f"c{k}"] = Camera(
            name=f"c{k}",
            width=SIZE[0],
            height=SIZE[1],
            K=np.array([[500.0, 0, 319.5], [0, 500.0, 239.5], [0, 0, 1]]),
            D=np.array(distortion),
            model="plumb_bob",
            R_cw=R_cw,
            t_cw=-R_cw @ np.array(place),
            time_offset=draw(st.sampled_from([0.0, 0.01, -3.0])),
            readout=draw(st.sampled_from([0.0, 0.02])),
        )
    return Rig(cameras)


@st.composite
def images(draw):
    """Tracks of one image, well-formed in shape only."""
    n = draw(st.integers(0, 3))
    uv = np.array(draw(st.lists(st.tuples(PIXEL, PIXEL), min_size=n, max_size=n))).reshape(n, 2)
    variance = np.array(draw(st.lists(st.one_of(st.just(1.0), NASTY), min_size=n, max_size=n)))
    velocity = draw(st.lists(st.tuples(PIXEL, PIXEL), min_size=n, max_size=n))
    return Tracks2D(
        camera=draw(st.sampled_from(["c0", "c1", "c2", "c3", "nobody"])),
        stamp=draw(STAMP),
        width=draw(st.sampled_from([640, 640, 640, 320])),
        height=480,
        epoch=draw(st.sampled_from([0, 0, 0, 1])),
        track_id=np.array(draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)), np.uint64),
        uv=uv,
        covariance=np.where(np.eye(2, dtype=bool), variance.reshape(n, 1, 1), 0.0),
        velocity=np.array(velocity).reshape(n, 2),
        bbox=np.full((n, 4), np.nan),
        score=np.full(n, np.nan),
        state=np.full(n, draw(st.sampled_from(list(State))), np.uint8),
        measured=np.full(n, draw(st.booleans())),
        class_id=("",) * n,
    )


@given(
    rigs(),
    st.lists(images(), max_size=25),
    st.sampled_from(["off", "report", "apply"]),
    st.sampled_from(["interpolate", "extrapolate"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_points_are_numbers_whatever_the_tracks_are(rig, sequence, estimate, sync):
    triangulator = Triangulator(
        GeometrySettings.from_flat({"clock.estimate": estimate, "sync": sync}), rig
    )
    for tracks in sequence:
        for points in triangulator.add(tracks):
            located = points.kind == Kind.POINT
            assert np.isfinite(points.xyz[located]).all()
            assert np.isfinite(points.covariance[located]).all()
            assert (np.linalg.eigvalsh(points.covariance[located]) >= 0).all()
            assert np.isfinite(points.reprojection_error_px[located]).all()
            assert np.isfinite(points.ray_direction[~located]).all()
    used = triangulator.counters["images"]
    refused = ("unknown_camera", "image_size", "duplicate", "stale_epoch")
    assert used + sum(triangulator.dropped[cause] for cause in refused) == len(sequence)
    for health in triangulator.health().values():
        if health.clock is not None:
            assert np.isfinite([health.clock.offset, health.clock.sigma]).all()
