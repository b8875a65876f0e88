from dataclasses import replace

import numpy as np
import pytest

from liquid_mono3d_ros.bench.filter_banks import run_bank
from liquid_mono3d_ros.bench.filter_baselines import BANKS, BASELINES, make_bank, make_rules
from liquid_mono3d_ros.bench.filter_estimates import is_scored
from liquid_mono3d_ros.bench.filter_links import lagged, smoothed
from liquid_mono3d_ros.bench.filter_oracle import knows, run_oracle, tune_oracle
from liquid_mono3d_ros.bench.filter_scores import errors, score
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Kind, Points3D, nanoseconds
from liquid_mono3d_ros.synth.conditions import Conditions
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.synth.flights import draw_flights
from liquid_mono3d_ros.synth.motions import FAMILIES

FIRST = {
    name: {key: first for key, (_, _, first) in one.space.items()}
    for name, one in BASELINES.items()
}


def straight(n=20, frames=60, *, sigma=0.02, slow=0.0, seed=0):
    """Lines at constant speed, seen at 30 Hz with white noise and, if asked, one slow error."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / 30.0 + np.zeros((n, 1))
    velocity = rng.normal(size=(n, 1, 3)) + np.zeros((1, frames, 1))
    xyz = velocity * t[..., None]
    away = sigma * rng.normal(size=xyz.shape) + slow * rng.normal(size=(n, 1, 3))
    eye = np.zeros((n, frames, 1, 1)) + np.eye(3)
    none = np.zeros((n, frames), dtype=bool)
    g = np.tile([0.0, 0.0, -9.81], (n, 1))
    family = np.zeros(n, dtype=int)
    return Flights(
        t, ~none, xyz + away, sigma**2 * eye, slow**2 * eye, xyz, velocity, g, family, none
    )


@pytest.fixture(scope="module")
def flights():
    conditions = Conditions(rate=(20.0, 60.0), frames=40, dropout=0.05, outliers=0.02)
    return draw_flights(conditions, 20, 3)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_estimates_every_scored_frame(flights, name):
    found = BASELINES[name].run(flights, FIRST[name], True)
    scored = is_scored(flights)
    assert np.isfinite(found.xyz[scored]).all()
    assert np.isfinite(found.velocity[scored]).all()
    own = score(found, flights)
    assert own["lost_percent"] == 0.0
    if name != "raw":
        raw = score(BASELINES["raw"].run(flights, {}, True), flights)
        assert own["velocity_rmse_mm_per_s"] < raw["velocity_rmse_mm_per_s"]


def test_kalman_filter_of_a_line_says_how_wrong_it_is():
    found = BASELINES["kf-cv"].run(straight(), {**FIRST["kf-cv"], "steady_noise": 0.01}, True)
    own = score(found, straight())
    assert own["anees"] == pytest.approx(1.0, abs=0.25)
    assert own["rmse_mm"] < 0.5 * 1e3 * 0.02 * 3**0.5
    density = -found.log_density[:, 10:].mean()
    entropy = 1.5 * np.log(2 * np.pi * np.e * 0.02**2)
    assert entropy < density < entropy + 0.5, "predicts nearly as well as the noise allows"


def test_convention_slow_error_stays_in_the_covariance():
    flights = straight(slow=0.1)
    found = BASELINES["kf-cv"].run(flights, {**FIRST["kf-cv"], "steady_noise": 0.01}, True)
    sigma = np.sqrt(np.trace(found.covariance[:, -1, :3, :3], axis1=1, axis2=2) / 3)
    assert (sigma > 0.08).all(), "an error that stays does not average out"


def test_bank_gives_what_the_running_filter_gives():
    flights = straight(3, 20)
    values = {**FIRST["kf-cv"], "steady_noise": 10.0, "miss": 1e-3, "speed_sigma": 3.0}
    found = run_bank(
        make_bank(BANKS["kf-cv"], values),
        make_rules(values),
        flights,
        np.zeros((3, 3)),
    )
    settings = {"filter": "cv", "cv_noise": 10.0, "gate_probability": 0.999, "initial_speed": 3.0}
    running = TrackFilter(FilterSettings.from_flat(settings))
    for k in range(20):
        update = running.update(_points(flights, k))
    xyz = np.array([one.xyz for one in update.now.trajectories])
    np.testing.assert_allclose(xyz, found.xyz[:, -1], atol=1e-7)


def test_later_frames_help_and_the_longest_lag_is_the_smoother():
    flights = straight()
    found = BASELINES["imm3"].run(flights, FIRST["imm3"], True, links=True)
    late = lagged(found, 59)
    whole = smoothed(found)
    np.testing.assert_allclose(late[0], found.xyz, atol=1e-12)
    np.testing.assert_allclose(late[-1], whole.xyz, atol=1e-8)
    middle = slice(5, 40)
    rmse = np.sqrt(((late - flights.xyz)[:, :, middle] ** 2).sum(axis=3).mean(axis=(1, 2)))
    assert rmse[10] < 0.8 * rmse[0]


def test_smoothing_under_a_slow_error_keeps_what_is_known():
    flights = straight(40, slow=0.2)
    found = BASELINES["kf-cv"].run(
        flights, {**FIRST["kf-cv"], "steady_noise": 0.01}, True, links=True
    )
    before, after = (errors(e, flights).rmse for e in (found, smoothed(found)))
    assert after < 1.05 * before
    own = score(smoothed(found), flights)
    assert 0.5 < own["anees"] < 1.5


def test_smoothing_needs_links(flights):
    found = BASELINES["kf-cv"].run(flights, FIRST["kf-cv"], True)
    with pytest.raises(ValueError, match="estimates must be with links; got none"):
        smoothed(found)


def test_adaptation_finds_noise_that_nobody_told():
    flights = straight(40, 80)
    loud = replace(flights, z=flights.xyz + 3.0 * (flights.z - flights.xyz))
    values = {**FIRST["imm5-adaptive"], "adapt": 0.1}
    fixed = score(BASELINES["imm5"].run(loud, FIRST["imm5"], True), loud)
    adapted = score(BASELINES["imm5-adaptive"].run(loud, values, True), loud)
    assert adapted["nll"] < fixed["nll"] - 0.3
    assert adapted["predictive_nll"] < fixed["predictive_nll"]


def test_gravity_helps_only_who_is_told():
    conditions = Conditions(families=("parabola",), rate=30.0, frames=40)
    flights = draw_flights(conditions, 20, 5)
    known, unknown = (
        errors(BASELINES["imm5"].run(flights, FIRST["imm5"], told), flights).rmse
        for told in (True, False)
    )
    assert known < 0.97 * unknown


def test_track_begins_anew_after_five_surprises():
    flights = straight(2, 60)
    z = flights.z.copy()
    z[0, 30:] += 50.0
    jumped = replace(flights, z=z, xyz=np.where(flights.z == z, flights.xyz, flights.xyz + 50.0))
    values = {**FIRST["kf-cv"], "steady_noise": 0.01}
    found = BASELINES["kf-cv"].run(jumped, values, True)
    away = np.linalg.norm(found.xyz - jumped.xyz, axis=2)
    assert away[0, 33] > 10.0
    assert away[0, 34:].max() < 1.0
    assert away[1].max() < 0.2


def test_oracle_is_told_the_family():
    conditions = Conditions(families=("line", "circle"), rate=30.0, frames=40)
    flights = draw_flights(conditions, 16, 2)
    tuned = tune_oracle(flights, evaluations=6)
    assert sorted({name.split("-")[1] for name in tuned}) == ["circle", "line"]
    assert knows(tuned, flights)
    assert np.isfinite(run_oracle(tuned, flights).xyz).all()
    other = replace(flights, family=flights.family * 0 + FAMILIES.index("bounce"))
    assert not knows(tuned, other)
    assert np.isnan(run_oracle(tuned, other).xyz).all()


def _points(flights, k):
    n = len(flights.t)
    nan = np.full((n, 3), np.nan)
    square = np.full((n, 3, 3), np.nan)
    return Points3D(
        stamp=nanoseconds(float(flights.t[0, k])),
        frame_id="world",
        epoch=0,
        track_id=np.arange(n, dtype=np.uint64),
        kind=np.full(n, int(Kind.POINT), dtype=np.uint8),
        xyz=flights.z[:, k],
        covariance=flights.R[:, k],
        systematic_covariance=square,
        ray_origin=nan,
        ray_direction=nan,
        ray_covariance=square[:, :2, :2],
        reprojection_error_px=nan[:, 0],
        parallax_rad=nan[:, 0],
        sightings=((),) * n,
    )
