import itertools

import numpy as np
import pytest
from advisers import adviser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.liquid.bank import birth, hedge, innovate, mix, propagate
from liquid_mono3d_ros.liquid.design import design_filter
from liquid_mono3d_ros.liquid.experts import RegretRecord, forgotten
from liquid_mono3d_ros.liquid.guidance import enter_measurement
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import FilterKind, Health

STEP = 33_333_333
LIQUID = FilterSettings(filter="liquid", lag=3)


def path(rng, T=60, n=3):
    """Positions with a turn, noise and an outlier, (T, N, 3) m."""
    t = np.arange(T)[:, None, None] / 30
    truth = np.sin(t * rng.normal(size=(n, 3)) * 3) + rng.normal(size=(n, 3))
    z = truth + rng.normal(size=truth.shape) * 0.03
    z[-5, 0] += 1.5
    return z


def feed(filters, make_points, z, turn=None, *, slow=0.0):
    """Yield the updates of each filter, step by step: gaps, bearings, slow errors, duplicates."""
    A = np.eye(3) if turn is None else turn
    R = np.array([[4, 1, 0], [1, 2, 0.5], [0, 0.5, 9]]) * 1e-4
    for k, now in enumerate(z):
        ids = [i for i in range(len(now)) if (k + i) % 5 or k < 5]
        R_k = np.tile(A @ R @ A.T, (len(ids), 1, 1))
        points = make_points(
            k * STEP, now[ids] @ A.T, R_k, ids=ids, systematic_covariance=slow * R_k
        )
        if k % 11 == 10:
            direction = now[1] / np.linalg.norm(now[1])
            rays = A @ (now[1] - 4 * direction), A @ direction
            points = make_points(k * STEP, rays=rays, sigma=0.01, ids=[1])
        for _ in range(2 if k % 13 == 12 else 1):
            yield [one.update(points) for one in filters]


def trajectories(update):
    lots = [update.now, *update.lagged]
    return list(itertools.chain(update.history, *(lot.trajectories for lot in lots)))


@pytest.mark.parametrize("slow", [0.0, 1.0])
def test_untrained_it_is_the_imm(make_points, slow):
    """The expert that the network leads, with heads of zeros: the same to 1e-9."""
    imm = TrackFilter(FilterSettings(filter="imm", lag=3))
    led = TrackFilter(LIQUID, experts=("liquid",), adviser=adviser())
    z = path(np.random.default_rng(0))
    for a, b in feed([imm, led], make_points, z, slow=slow):
        for t, other in zip(trajectories(a), trajectories(b), strict=True):
            assert t.health == other.health
            assert other.filter == FilterKind.LIQUID
            np.testing.assert_allclose(other.xyz, t.xyz, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(other.velocity, t.velocity, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(other.covariance, t.covariance, rtol=1e-9, atol=1e-9)
            for p, q in zip(t.predictions, other.predictions, strict=True):
                np.testing.assert_allclose(q.xyz, p.xyz, rtol=1e-9, atol=1e-9)


def test_with_all_experts_untrained_the_two_imms_stay_equal(make_points):
    experts = ("imm", "liquid", "abrupt")
    whole = TrackFilter(LIQUID, experts, adviser())
    for _ in feed([whole], make_points, path(np.random.default_rng(0))):
        pass
    inside = whole.look_inside()
    assert inside.experts == experts
    assert inside.models[:2] == ("imm steady", "imm turning")
    assert inside.models[-1] == "abrupt"
    np.testing.assert_allclose(inside.probability[:, :5], inside.probability[:, 5:10], rtol=1e-9)
    np.testing.assert_allclose(inside.weight[:, 1] / inside.weight[:, 0], 0.9 / 0.05, rtol=1e-9)
    np.testing.assert_allclose(inside.weight.sum(axis=1), 1.0)


@pytest.mark.parametrize("slow", [0.0, 1.0])
def test_turning_world_rig_and_gravity_turns_the_output(make_points, slow):
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn6, g = np.kron(np.eye(2), turn), np.array([0, 0, -9.81])
    filters = [
        TrackFilter(
            FilterSettings(filter="liquid", lag=3, gravity=tuple(down.tolist())),
            adviser=adviser(loud=0.5),
        )
        for down in (g, turn @ g)
    ]
    z = path(rng)
    both = zip(
        feed(filters[:1], make_points, z, slow=slow),
        feed(filters[1:], make_points, z, turn, slow=slow),
        strict=True,
    )
    for (a,), (b,) in both:
        for t, turned in zip(trajectories(a), trajectories(b), strict=True):
            np.testing.assert_allclose(turned.xyz, turn @ t.xyz, atol=1e-6)
            np.testing.assert_allclose(turned.velocity, turn @ t.velocity, atol=1e-6)
            P = turn6 @ t.covariance @ turn6.T
            np.testing.assert_allclose(turned.covariance, P, atol=1e-6 * np.abs(P).max())


def test_advice_is_heard(make_points):
    """Or the tests above could not fail."""
    quiet, loud = (TrackFilter(LIQUID, adviser=adviser(loud=x)) for x in (0.0, 0.5))
    *_, (a, b) = feed([quiet, loud], make_points, path(np.random.default_rng(2)))
    moved = [
        np.linalg.norm(t.xyz - other.xyz)
        for t, other in zip(a.now.trajectories, b.now.trajectories, strict=True)
    ]
    assert max(moved) > 1e-4
    inside = loud.look_inside()
    assert (inside.log_r != 0).all()
    assert np.isnan(inside.tau).all()
    loud.update(make_points(70 * STEP, np.zeros((3, 3))))
    tau = loud.look_inside().tau
    assert ((tau > 0.01) & (tau < 3.0)).all()


def test_the_regret_against_every_expert_stays_inside_its_bound(make_points):
    """Bad advice costs no more than finding out: random heads, the loss over 300 steps."""
    rng = np.random.default_rng(3)
    design = design_filter(LIQUID, adviser=adviser(loud=3.0))
    bank, n, dt = design.bank, 5, 1 / 30
    z = rng.normal(size=(n, 3))
    R = np.tile(np.eye(3), (n, 1, 1)) * 1e-3
    belief = birth(bank, z, R, 3.0, units=design.units)
    record = RegretRecord.begin((n,), 2, bank.prior.min())
    for _ in range(300):
        z = z + rng.standard_t(2, size=(n, 3)) * 0.03
        measurement = Measurement(z, np.tile(np.eye(3), (n, 1, 1)), R)
        before, _ = propagate(bank, mix(bank, belief, dt), dt)
        log_r = before.log_r[:, None] * (bank.expert == design.led)
        _, losses, loss = hedge(bank, before, innovate(before, measurement), measurement, log_r)
        record = record.add(losses, loss, forgotten(bank.hedge_rate, dt))
        belief, _ = enter_measurement(design, before, measurement)
    assert (record.regret <= record.bound + 1e-9).all()
    assert np.isfinite(record.losses).all()


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "weights.safetensors"
    adviser(loud=0.1).save(file)
    return file


def test_weights_of_ones_own_are_three_lines_away(make_points, file):
    track_filter = TrackFilter(FilterSettings(filter="liquid", weights=str(file)))
    assert track_filter.fallback_reason == ""
    update = track_filter.update(make_points(0, [[1, 2, 3]]))
    assert update.now.trajectories[0].filter == FilterKind.LIQUID
    assert update.now.trajectories[0].health == Health.GOOD


def missing(file):
    file.unlink()


def truncated(file):
    file.write_bytes(file.read_bytes()[:-100])


def empty(file):
    file.write_bytes(b"")


def other_version(file):
    file.write_bytes(file.read_bytes().replace(b"liquid-filter-1", b"liquid-filter-0"))


def full_of_nan(file):
    raw = file.read_bytes()
    file.write_bytes(raw[:-4] + np.float32(np.nan).tobytes())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (missing, "No such file"),
        (truncated, "path must be a safetensors file"),
        (empty, "path must be a safetensors file"),
        (other_version, "version must be"),
        (full_of_nan, "weights must be finite"),
    ],
)
def test_without_good_weights_the_imm_runs_and_says_why(make_points, file, harm, words):
    harm(file)
    imm = TrackFilter(FilterSettings(filter="imm", lag=3))
    other = TrackFilter(FilterSettings(filter="liquid", lag=3, weights=str(file)))
    assert other.fallback_reason.startswith("The imm filter runs instead of the liquid one: ")
    assert words in other.fallback_reason
    assert imm.fallback_reason == ""
    for a, b in feed([imm, other], make_points, path(np.random.default_rng(0), T=12)):
        for t, stand_in in zip(trajectories(a), trajectories(b), strict=True):
            np.testing.assert_array_equal(stand_in.xyz, t.xyz)
            assert stand_in.filter == FilterKind.IMM
            assert stand_in.health == t.health | Health.FALLBACK


instant = st.tuples(
    st.sampled_from([0, 1, 10**6, STEP, 10**8, 10**9, 3600 * 10**9]),
    st.lists(st.floats(-20, 20) | st.floats(-1e4, 1e4), min_size=3, max_size=3),
    st.sampled_from([1e-8, 1e-6, 1e-3, 1.0, 1e6]),
    st.sampled_from([0.0, 1e-3, 1e3]),
)


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.lists(instant, min_size=3, max_size=12), st.sampled_from([0.3, 3.0, 30.0]))
def test_no_network_makes_nan_go_out(make_points, instants, loud):
    track_filter, stamp = TrackFilter(LIQUID, adviser=adviser(loud=loud)), 0
    for wait, place, variance, slow in instants:
        stamp += wait
        R = np.eye(3)[None] * variance
        update = track_filter.update(
            make_points(stamp, [place], R, systematic_covariance=slow * R)
        )
        for t in trajectories(update):
            assert np.isfinite(t.xyz).all()
            assert np.isfinite(t.velocity).all()
            scale = np.sqrt(np.diag(t.covariance))
            assert (scale > 0).all()
            assert np.linalg.eigvalsh(t.covariance / scale / scale[:, None])[0] > -1e-6
