import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.bench import motion_classes  # noqa: E402
from liquid_mono3d_ros.bench.motion_classes import PEER, fit_all, measure  # noqa: E402
from liquid_mono3d_ros.bench.motion_views import draw_viewed  # noqa: E402
from liquid_mono3d_ros.train.motion_tracks import draw_tracks  # noqa: E402

TINY = {"kinds": ["liquid", "gru"], "seeds": 1, "parameters": 2000, "tracks": 40, "batch": 8}


def test_a_run_in_miniature(monkeypatch):
    monkeypatch.setattr(motion_classes, "fit_all", lambda tracks, workers: tracks.label)
    views = {"tracks": 16, "n": 300, "steps": 1, "parameters": 2000}
    report = measure(n=80, workers=1, recipe={**TINY, "steps": 2}, views=views)
    models = [row["model"] for row in report.rows if "model" in row]
    assert models == ["liquid", "gru", PEER, "majority"]
    peer = report.rows[2]
    assert peer["observable_percent"] == peer["open_percent"] == 100
    inputs = [row["input"] for row in report.rows if "input" in row]
    assert inputs == ["one view", "two views", "3D"]
    assert [target.name for target in report.targets] == [
        "liquid_observable_percent",
        "liquid_over_fit_and_bic_points",
        "one_view_falls_below_15_deg_points",
    ]
    assert not report.targets[0].met


def test_the_peer_is_right_on_most_tracks():
    tracks = draw_tracks(8, 5, conditions=motion_classes.CONDITIONS_OF_THE_BENCH)
    said = fit_all(tracks, 1)
    shows = tracks.observable
    assert (said == tracks.label)[shows].mean() > 0.8


def test_views_hold_the_same_motion():
    viewed = draw_viewed(200, 0)
    one, two, space = (viewed.points[name] for name in ("one view", "two views", "3D"))
    assert (one.shape, two.shape, space.shape) == ((200, 90, 2), (200, 90, 4), (200, 90, 3))
    np.testing.assert_array_equal(two[..., :2], one)
    np.testing.assert_allclose(space[..., :2], one * space[..., 2:], atol=0.3)
    assert (viewed.angle >= 0).all()
    assert (viewed.angle <= 90).all()
    low = viewed.angle[::2] < 15
    assert 0.08 < low.mean() < 0.27  # evenly spread: a sixth


def test_the_axis_of_a_helix_is_at_its_angle():
    viewed = draw_viewed(400, 1)
    helix = (viewed.label == 2) & (viewed.sigma["3D"].max(axis=1) < 0.02)
    straight = []
    for n in np.flatnonzero(helix)[:20]:
        xyz = viewed.points["3D"][n]
        curl = np.cross(np.diff(xyz[::9], axis=0)[:-1], np.diff(xyz[::9], axis=0)[1:]).sum(axis=0)
        axis = abs(curl[2]) / np.linalg.norm(curl)
        straight.append(abs(np.rad2deg(np.arccos(axis)) - viewed.angle[n]))
    assert len(straight) > 5
    assert np.median(straight) < 20
