import copy
import shutil
from dataclasses import replace

import numpy as np
import pytest
from advisers import adviser

from liquid_mono3d_ros.liquid.bank import (
    birth,
    collapse,
    collapse_bias,
    collapse_expert,
    correct,
    hedge,
    innovate,
    mix,
    propagate,
    surprise,
    weights,
)
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.native_bank import NativeBank
from liquid_mono3d_ros.liquid.rnn import native
from liquid_mono3d_ros.liquid.trajectory_filter import TrackFilter

N, LED = 7, 1


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler")
    return native.load(native.build(tmp_path_factory.mktemp("cache"), "bank"), "bank")


@pytest.fixture(params=["vector", "plain"])
def either(request, library):
    """The library with each of its two instruction sets."""
    library.use_plain(request.param == "plain")
    yield library
    library.use_plain(0)


def close(ours, theirs):
    scale = np.abs(theirs).max(initial=1e-300)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * scale)


def same(ours, theirs, names=("x", "P", "log_mu", "C", "root", "log_w")):
    for name in names:
        close(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("slow", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["liquid", "imm", "cv"])
def test_it_has_the_numbers_of_numpy(either, kind, slow):
    settings = FilterSettings(filter=kind, gravity=(1, 2, -9), gate_abrupt=False)
    bank = design_filter(settings).bank
    kernel = NativeBank(either, bank, LED if kind == "liquid" else -1)
    rng, experts, led = np.random.default_rng(0), len(bank.spans), bank.expert == LED
    z, A = rng.normal(size=(N, 3)), rng.normal(size=(N, 3, 3)) * 0.05
    R, B = np.tile(np.diag([1.0, 2, 3]) * 1e-3, (N, 1, 1)), A @ A.swapaxes(1, 2)
    H = np.tile(np.eye(3), (N, 1, 1))
    first = Measurement(z, H, R, B) if slow else Measurement(z, H, R)
    belief = birth(bank, z, R, 3.0, first.root if slow else None)
    for k in range(30):
        dt, z = rng.choice([1e-3, 0.03, 2.0]), z + rng.normal(size=(N, 3)) * 0.1
        log_q, log_r = rng.normal(size=(2, N)) * (kind == "liquid")
        delta = rng.normal(size=(N, 5))
        mixed = mix(bank, belief, dt)
        predicted, cross = propagate(bank, mixed, dt, log_q=log_q[:, None] * led)
        mu = weights(bank, replace(predicted, log_w=belief.log_w))
        x, P = collapse(predicted, mu)
        ahead = kernel.advance(belief, dt, log_q)
        same(ahead.belief, predicted)
        close(ahead.x, x)
        close(ahead.P, P)
        before, after = mixed.x - mu[:, None] @ mixed.x, predicted.x - x[:, None]
        C = np.einsum("nm,nmij->nij", mu, cross)
        C += np.einsum("nm,nmi,nmj->nij", mu, before, after)
        close(ahead.cross, C)
        close(ahead.bias, collapse_bias(mixed, mu))
        np.testing.assert_array_equal(ahead.belief.P, ahead.belief.P.swapaxes(-1, -2))

        has_slow = slow and k % 4 != 3
        measurement = Measurement(z, H, R, B) if has_slow else Measurement(z, H, R)
        innovation = innovate(predicted, measurement)
        weighed, losses, _ = hedge(bank, predicted, innovation, measurement, log_r[:, None] * led)
        found = kernel.compare(predicted, measurement, log_r)
        close(found.innovation.y, innovation.y)
        close(found.innovation.S, innovation.S)
        close(found.loss, losses)
        close(found.log_w, weighed.log_w)
        mu = weights(bank, predicted)
        whole = *collapse(predicted, mu), measurement, collapse_bias(predicted, mu)
        close(found.together, surprise(*whole))

        distrust = 1 + rng.exponential(size=(N, experts)) * (k % 2)
        added = np.zeros((N, len(bank)))
        if kind == "liquid":
            added[:, led] = delta
        belief = correct(
            bank, weighed, measurement, distrust[:, bank.expert],
            innovation=innovation, log_r=log_r[:, None] * led, delta=added,
        )  # fmt: skip
        same(kernel.correct(weighed, measurement, found, distrust, log_r, delta), belief)
        means, covariances, x, P = kernel.collapse(belief)
        for ours, theirs in zip((x, P), collapse(belief, weights(bank, belief)), strict=True):
            close(ours, theirs)
        for e in range(experts):
            own = collapse_expert(bank, belief, e)
            close(means[:, e], own[0])
            close(covariances[:, e], own[1])


@pytest.mark.parametrize("kind", ["liquid", "imm", "cv"])
def test_the_filter_is_the_same_with_and_without(make_points, library, monkeypatch, kind):
    rng = np.random.default_rng(1)
    settings = FilterSettings(filter=kind, lag=3)
    network = adviser(loud=0.3) if kind == "liquid" else None
    monkeypatch.setattr(native, "library", lambda name="scan": None)
    slow = TrackFilter(settings, adviser=network)
    monkeypatch.setattr(native, "library", lambda name="scan": library if name == "bank" else None)
    fast = TrackFilter(settings, adviser=network)
    assert fast._design.kernel is not None
    assert slow._design.kernel is None
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
                close(u.xyz, t.xyz)
                close(u.velocity, t.velocity)
                np.testing.assert_allclose(u.covariance, t.covariance, rtol=1e-6, atol=1e-9)
    if kind == "liquid":
        close(fast.look_inside().weight, slow.look_inside().weight)


def test_a_track_has_the_same_numbers_alone_and_among_others(either):
    bank = design_filter(FilterSettings(filter="liquid")).bank
    kernel = NativeBank(either, bank)
    rng = np.random.default_rng(2)
    z, R, H = rng.normal(size=(N, 3)), np.tile(np.eye(3), (N, 1, 1)), np.tile(np.eye(3), (N, 1, 1))

    def step(belief, z):
        measurement = Measurement(z, H[: len(z)], R[: len(z)])
        belief = kernel.advance(belief, 0.1).belief
        found = kernel.compare(belief, measurement)
        belief = replace(belief, log_w=found.log_w)
        return kernel.correct(belief, measurement, found, np.ones((len(z), 3)))

    together = birth(bank, z, R, 1.0)
    alone = together.take(np.array([3]))
    for _ in range(5):
        z = z + 0.1
        together, alone = step(together, z), step(alone, z[3:4])
        for name in ("x", "P", "log_mu", "log_w"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[3])


def test_no_tracks(either):
    bank = design_filter(FilterSettings()).bank
    none = birth(bank, np.zeros((0, 3)), np.zeros((0, 3, 3)), 1.0)
    assert NativeBank(either, bank).advance(none, 0.1).P.shape == (0, 9, 9)


def test_it_can_be_copied(library, monkeypatch):
    monkeypatch.setattr(native, "library", lambda name: library)
    design = design_filter(FilterSettings())
    assert isinstance(copy.deepcopy(design).kernel, NativeBank)
    assert design.falling(np.ones(3)).kernel.bank.gravity[0] == 1


def test_it_can_be_switched_off():
    assert design_filter(FilterSettings(), use_native=False).kernel is None
