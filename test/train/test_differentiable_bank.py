"""The torch bank beside the numpy one: the same numbers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid import bank as plain  # noqa: E402
from liquid_mono3d_ros.liquid.measurement import Measurement  # noqa: E402
from liquid_mono3d_ros.synth.flights import Conditions, draw_flights  # noqa: E402
from liquid_mono3d_ros.train.closed_loop import Frames  # noqa: E402
from liquid_mono3d_ros.train.differentiable_bank import (  # noqa: E402
    collapse,
    inverse,
    log_density,
)


def test_the_same_numbers_as_the_bank_that_runs(motions, twin):
    conditions = Conditions(frames=25, outliers=0.1, calibration_deg=0.2)
    flights = draw_flights(conditions, 12, 3)
    frames = Frames.of(flights)
    G = frames.G.numpy()
    one = plain.birth(motions, flights.z[:, 0], flights.R[:, 0], 3.0, G[0])
    other = twin.birth(frames.at(0).measured)
    rng = np.random.default_rng(0)
    for k in range(1, 25):
        frame = frames.at(k)
        dt = frame.dt.numpy()
        log_q, log_r, delta = (rng.normal(size=s) / 3 for s in ((12,), (12,), (12, 5)))
        per_member = np.repeat(log_q[:, None], 5, axis=1)
        mixed = plain.mix(motions, one, dt)
        one, _ = plain.propagate(motions, mixed, dt, flights.gravity, log_q=per_member)
        other = twin.predict(other, frame.dt, frames.gravity, torch.as_tensor(log_q))

        measurement = Measurement(
            flights.z[:, k], np.tile(np.eye(3), (12, 1, 1)), flights.R[:, k], flights.B[:, k]
        )
        seen = twin.compare(other, frame.measured)
        x, P = plain.collapse(one)
        d2 = plain.surprise(x, P, measurement, plain.collapse_bias(one))
        distrust = np.maximum(d2 / twin.gate, 1.0)
        expected = np.where(motions.gated, distrust[:, None], 1.0)
        np.testing.assert_allclose(twin.distrust(seen).numpy(), expected, rtol=1e-8)
        wide = np.repeat(log_r[:, None], 5, axis=1)
        found = plain.innovate(one, measurement)
        joint = one.log_mu + plain.log_densities(found, measurement, wide)
        np.testing.assert_allclose(
            log_density(other, seen, frame.measured.R, torch.as_tensor(log_r)).numpy(),
            np.logaddexp.reduce(joint, axis=1),
            rtol=1e-8,
        )
        one = plain.correct(motions, one, measurement, distrust, log_r=wide, delta=delta)
        other = twin.correct(
            other,
            seen,
            frame.measured,
            log_r=torch.as_tensor(log_r),
            openness=torch.zeros(12, dtype=torch.float64),
            delta=torch.as_tensor(delta),
        )
    for a, b in zip(plain.collapse(one), collapse(other), strict=True):
        np.testing.assert_allclose(b.numpy(), a, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(other.log_mu.numpy(), one.log_mu, atol=1e-8)
    np.testing.assert_allclose(other.C.numpy(), one.C, atol=1e-9)


def test_the_gradient_of_the_inverse():
    root = torch.randn(4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def of(a):
        return inverse(a @ a.transpose(-1, -2) + 0.1 * torch.eye(3, dtype=torch.float64))

    S = root @ root.transpose(-1, -2) + 0.1 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(inverse(S)[0], torch.linalg.inv(S))
    torch.testing.assert_close(inverse(S)[1], torch.logdet(S))
    assert torch.autograd.gradcheck(of, (root.requires_grad_(),))
