import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
from advisers import adviser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liquid_mono3d_ros.liquid.bank import birth
from liquid_mono3d_ros.liquid.belief import Belief, PackedBelief, pack, unpack
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.guidance import ALL, step
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.native_bank import NativeBank
from liquid_mono3d_ros.liquid.rnn import native
from liquid_mono3d_ros.liquid.trajectory_filter import TrackFilter

FIELDS = tuple(Belief.__dataclass_fields__)
KINDS = (
    *("cv", "imm", "liquid, open", "liquid, noise", "liquid, closed"),
    *("liquid alone, open", "liquid alone, noise", "three experts"),
)
FLOAT32 = 2e-6
"""As the network's two steps agree; everything else agrees to 1e-9."""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Name → library; of the bank, one for each instruction set."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler")
    built = {
        name: native.library(name)
        or native.load(native.build(tmp_path_factory.mktemp(name), name), name)
        for name in native.NAMES
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(native.MORE, "bank", (*native.MORE["bank"], "-DPLAIN"))
        path = native.build(tmp_path_factory.mktemp("plain"), "bank")
    return {**built, "plain": native.load(path, "bank")}


@pytest.fixture(params=["bank", "plain"])
def either(request, libraries, monkeypatch):
    """Take the libraries, that of the bank with each of its two instruction sets."""
    found = {"scan": libraries["scan"], "bank": libraries[request.param]}
    monkeypatch.setattr(native, "library", lambda name="scan": found[name])
    return found["bank"]


def design_of(kind):
    """Return the filter with the step in C."""
    network, experts = None, ()
    if kind.startswith(("liquid", "three")):
        network = adviser(loud=0.3)
        network.notes["loop"] = kind.partition(", ")[2] or "closed"
    if kind.startswith("liquid alone"):
        experts = ("liquid",)
    if kind == "three experts":
        experts = ("imm", "liquid", "abrupt")
    name = kind.partition(",")[0].partition(" ")[0]
    given = FilterSettings(
        filter=name if name in ("cv", "imm") else "liquid", gravity=(1, 2, -9), gate_abrupt=False
    )
    return design_filter(given, experts, network)


def close(ours, theirs, tolerance, name):
    assert ours.shape == theirs.shape, name
    scale = np.abs(theirs).max(initial=1e-300)
    np.testing.assert_allclose(
        ours, theirs, rtol=tolerance, atol=tolerance * scale, err_msg=name, equal_nan=True
    )


def check(fast, slow, rows, measured, *, moved, tolerance):
    """Compare all that two steps tell."""
    for name in FIELDS:
        close(getattr(fast.belief, name), getattr(slow.belief, name), tolerance, name)
    told = ["x", "P", "stretch"]
    if moved:
        told += ["before", "before_P", "cross"]
        told += ["bias_before", "bias_after"] if slow.bias_before.size else []
    for name in told:
        close(getattr(fast, name), getattr(slow, name), tolerance, name)
    if measured:
        close(fast.strain[rows], slow.strain[rows], tolerance, "strain")
        close(fast.losses[rows], slow.losses[rows], tolerance, "losses")
    np.testing.assert_array_equal(fast.P, fast.P.swapaxes(-1, -2))


instant = st.tuples(
    st.sampled_from([None, 1e-3, 1 / 30, 2.0, "each"]),  # dt
    st.sampled_from(["all", "some", "none"]),  # measured
    st.booleans(),  # with a slow error
    st.floats(0.01, 30.0),  # how far off
)


@settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 999),
    st.lists(instant, min_size=1, max_size=12),
)
def test_it_has_the_numbers_of_numpy(either, kind, n, slow, seed, instants):
    """Whatever tracks are measured, how long after, how far off, with slow errors or without."""
    rng = np.random.default_rng(seed)
    fast = design_of(kind)
    reference = replace(fast, kernel=None)
    tolerance = FLOAT32 if fast.adviser else 1e-9
    A = rng.normal(size=(2, n, 3, 3)) * 0.05
    R, B = A @ A.swapaxes(-1, -2) + 1e-4 * np.eye(3)
    H, z = np.tile(np.eye(3), (n, 1, 1)), rng.normal(size=(n, 3))
    first = Measurement(z, H, R, B)
    units = fast.units
    belief = birth(fast.bank, z, R, 3.0, first.root if slow else None, units=units)
    for dt, who, has_slow, off in instants:
        z = z + rng.normal(size=z.shape) * off * 0.05
        dt = rng.uniform(0.01, 0.1, n) if dt == "each" else dt
        rows = ALL if who == "all" else np.flatnonzero(rng.random(n) < 0.5)
        measured = who == "all" or (who == "some" and len(rows) > 0)
        now = None
        if measured:
            now = Measurement(z[rows], H[rows], R[rows], *([B[rows]] if has_slow else []))
        both = [step(one, belief, dt, now, rows, linked=True) for one in (fast, reference)]
        check(*both, rows, measured, moved=dt is not None, tolerance=tolerance)
        belief = both[1].belief
    again = step(fast, both[0].belief, None)
    close(again.x, both[0].x, 1e-12, "the belief tells what the step told")
    close(again.P, both[0].P, 1e-12, "the belief tells what the step told")


@pytest.mark.parametrize("kind", ["liquid, open", "liquid, noise", "liquid, closed", "imm"])
def test_the_filter_is_the_same_with_and_without(make_points, either, monkeypatch, kind):
    rng, network = np.random.default_rng(1), design_of(kind).adviser
    chosen = FilterSettings(filter=kind.partition(",")[0], lag=3)
    fast = TrackFilter(chosen, adviser=network)
    slow = TrackFilter(chosen, adviser=network)
    slow._design = replace(slow._design, kernel=None)
    monkeypatch.setattr(slow, "_settle", lambda frame_id: None)
    monkeypatch.setattr(fast, "_settle", lambda frame_id: None)
    assert fast._design.kernel is not None
    z = np.cumsum(rng.normal(size=(50, 3, 3)) * 0.05, axis=0)
    z[30, 1] += 3.0
    for k in range(50):
        ids = [i for i in range(3) if (k + i) % 6]
        B = np.tile(np.eye(3), (len(ids), 1, 1)) * (1e-4 if k > 20 else np.nan)
        points = make_points(k * 33_333_333, z[k, ids], ids=ids, systematic_covariance=B)
        a, b = slow.update(points), fast.update(points)
        for one, other in [(a.now, b.now), *zip(a.lagged, b.lagged, strict=True)]:
            for t, u in zip(one.trajectories, other.trajectories, strict=True):
                assert t.health == u.health
                tolerance = FLOAT32 if network else 1e-9
                close(u.xyz, t.xyz, 10 * tolerance, "xyz")
                close(u.velocity, t.velocity, 10 * tolerance, "velocity")
                close(u.covariance, t.covariance, 1e-5, "covariance")
    close(fast.look_inside().weight, slow.look_inside().weight, 1e-5, "weight")


@pytest.mark.parametrize("kind", KINDS)
def test_a_track_has_the_same_numbers_alone_and_among_others(either, kind):
    design, rng, n = design_of(kind), np.random.default_rng(2), 7
    z, R = rng.normal(size=(n, 3)), np.tile(np.eye(3), (n, 1, 1)) * 1e-3
    together = birth(design.bank, z, R, 1.0, units=design.units)
    alone = together.take(np.array([3]))
    for k in range(8):
        z = z + rng.normal(size=z.shape) * (5.0 if k == 5 else 0.05)
        now = Measurement(z, np.tile(np.eye(3), (n, 1, 1)), R)
        rows = ALL if k % 3 else np.array([0, 3, 4])
        together = step(design, together, 0.1, now.take(rows), rows).belief
        alone = step(design, alone, 0.1, now.take(np.array([3]))).belief
        for name in FIELDS:
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[3])


def test_a_flat_covariance_stays_positive(either):
    """An outlier of 1000 km spreads the models: the innovation covariance is all but singular."""
    design, z = design_of("imm"), np.zeros((1, 3))
    R = 1e-8 * np.eye(3)[None]
    belief = birth(design.bank, z, R, 3.0)
    for k in range(60):
        far = z + np.array([1e6, 2e6, -1e6]) * (k % 10 == 5)
        told = step(design, belief, 1 / 30, Measurement(far, np.eye(3)[None], R))
        belief = told.belief
        scale = np.sqrt(np.diagonal(told.P, axis1=1, axis2=2))
        assert np.linalg.eigvalsh(told.P / scale[:, :, None] / scale[:, None]).min() > -1e-6


def test_time_constants_are_worked_out_for_whom_asks(either):
    design, z = design_of("liquid, closed"), np.random.default_rng(0).normal(size=(6, 3))
    R = np.tile(np.eye(3), (6, 1, 1)) * 1e-3
    belief = birth(design.bank, z, R, 3.0, units=design.units)
    now = Measurement(z, np.tile(np.eye(3), (6, 1, 1)), R)
    assert np.isnan(step(design, belief, 0.1, now).belief.tau).all()
    asked = replace(design, watched=True)
    ours, theirs = (step(d, belief, 0.1, now) for d in (asked, replace(asked, kernel=None)))
    np.testing.assert_allclose(ours.belief.tau, theirs.belief.tau, rtol=1e-5)
    np.testing.assert_allclose(ours.belief.hidden, theirs.belief.hidden, atol=1e-6)


def test_no_tracks(either):
    design = design_of("imm")
    none = birth(design.bank, np.zeros((0, 3)), np.zeros((0, 3, 3)), 1.0)
    told = step(design, none, 0.1, linked=True)
    assert told.P.shape == told.before_P.shape == (0, 9, 9)
    assert len(told.belief) == 0


@pytest.mark.parametrize("kind", ["imm", "liquid, open"])
def test_it_can_be_copied(either, kind):
    design = copy.deepcopy(design_of(kind))
    assert isinstance(design.kernel, NativeBank)
    assert design.falling(np.ones(3)).kernel.bank.gravity[0] == 1


def test_without_a_library_or_a_processor_for_it_numpy_does_it(libraries, monkeypatch):
    monkeypatch.setattr(native, "library", lambda name="scan": libraries[name])
    assert design_of("imm").kernel is not None
    assert design_filter(FilterSettings(), use_native=False).kernel is None
    only_bank = {"bank": libraries["bank"]}
    monkeypatch.setattr(native, "library", lambda name="scan": only_bank.get(name))
    assert design_of("liquid, open").kernel is None, "the network's own step is missing"

    class Old:
        def is_fast(self):
            return 0

    monkeypatch.setattr(native, "library", lambda name="scan": Old())
    assert design_of("imm").kernel is None
    monkeypatch.setattr(native, "library", lambda name="scan": None)
    assert design_of("imm").kernel is None


def test_an_open_network_reads_the_models_of_the_imm(either):
    """It leads none of its own, so there is no need of a second bank that is the same."""
    assert len(design_of("liquid, open").bank) == 5
    assert len(design_of("liquid, closed").bank) == 10
    assert len(design_of("liquid alone, open").bank) == 5


def test_a_packed_belief_is_the_same_belief():
    design, rng = design_of("imm"), np.random.default_rng(0)
    z, R = rng.normal(size=(4, 3)), np.tile(np.eye(3), (4, 1, 1))
    for root in (None, 0.1 * R):
        loose = birth(design.bank, z, R, 1.0, root, units=7)
        loose.hidden[:] = rng.normal(size=loose.hidden.shape)
        packed = pack(loose)
        assert isinstance(packed, PackedBelief)
        rows, some = np.array([2, 0]), loose.take(np.array([1, 3]))
        pairs = [
            (unpack(packed), loose),
            (packed.take(rows), loose.take(rows)),
            (packed.join(some), loose.join(some)),
            (packed.put(rows, some), loose.put(rows, some)),
        ]
        for ours, theirs in pairs:
            assert len(ours) == len(theirs)
            for name in FIELDS:
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), name)
    assert pack(birth(design.bank, z, R, 1.0, units=7)).put(rows, some).knows_bias
    with pytest.raises(AttributeError):
        _ = packed.nothing
