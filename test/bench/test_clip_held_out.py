"""A camera that had no part in it as the judge of what a filter changed."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from recorded_rigs import recorded

from liquid_mono3d_ros.bench.clip_held_out import (
    filtered,
    held_out,
    located,
    main_track,
    residuals,
)
from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings
from liquid_mono3d_ros.synth.rigs import stereo_rig


def test_residuals_know_an_offset_from_noise():
    camera, rng = stereo_rig().cameras["left"], np.random.default_rng(0)
    xyz = np.column_stack([4 + 0 * np.arange(3000), np.zeros(3000), np.ones(3000)])
    uv = camera.project(xyz)
    path = dict(enumerate(xyz))
    stamps = set(path)
    shifted = residuals(camera, dict(enumerate(uv + np.array([3.0, 4.0]))), path, stamps)
    assert shifted["residual_median_px"] == pytest.approx(5.0)
    assert shifted["jump_rms_px"] == pytest.approx(0.0, abs=1e-9)
    noise = rng.normal(0, 0.7, uv.shape)
    noisy = residuals(camera, dict(enumerate(uv + noise)), path, stamps)
    assert noisy["residual_rms_px"] == pytest.approx(0.7 * 2**0.5, rel=0.05)
    assert noisy["jump_rms_px"] == pytest.approx(noisy["residual_rms_px"], rel=0.05)


def test_the_camera_left_out_sees_what_the_filter_took_away():
    """Two cameras close together locate noisily; a third, far to the side, sees it."""
    pair, wide = stereo_rig(), stereo_rig(baseline=1.5)
    third = replace(wide.cameras["right"], name="third")
    road = recorded(4.0, rig=Rig({**pair.cameras, "third": third}, up=pair.up), drop=0.0)
    alone = replace(road, tracks2d={k: v for k, v in road.tracks2d.items() if k != "third"})
    triangulator = Triangulator(GeometrySettings(calibration_sigma=0.0, clock_sigma=0.0), pair)
    images = sorted(chain(*alone.tracks2d.values()), key=lambda image: image.stamp)
    outputs = [one for image in images for one in triangulator.add(image)]
    judge = interpolated(main_track(road.tracks2d["third"]), located(outputs))
    rows = {}
    now, late = filtered(outputs, FilterSettings(lag=5, horizon=0.0))
    common = set(judge) & set(now) & set(late)
    assert len(common) > 80
    for name, path in (("located", located(outputs)), ("now", now), ("late", late)):
        rows[name] = residuals(third, judge, path, common)
    assert rows["late"]["jump_rms_px"] < rows["now"]["jump_rms_px"]
    assert rows["now"]["jump_rms_px"] < 0.8 * rows["located"]["jump_rms_px"]
    assert rows["late"]["residual_rms_px"] < rows["located"]["residual_rms_px"]


def interpolated(judge, path):
    """Bring the judge's pixels to the stamps of a path: the cameras run freely."""
    stamps = np.array(sorted(judge))
    uv = np.array([judge[stamp] for stamp in stamps])
    inside = [stamp for stamp in path if stamps[0] <= stamp <= stamps[-1]]
    return {s: np.array([np.interp(s, stamps, uv[:, k]) for k in (0, 1)]) for s in inside}


def test_every_method_has_a_row_over_the_same_stamps():
    road = recorded(3.0, drop=0.0)
    rig = stereo_rig()
    rows = held_out(rig.cameras["left"], road.tracks2d["left"], road.points3d)
    assert len(rows) == 9
    assert len({row["n"] for row in rows}) == 1
    assert rows[0]["method"] == "located"
    assert rows[0]["n"] > 50
