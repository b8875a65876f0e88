import numpy as np
import pytest

from liquid_mono3d_ros.liquid.bank import collapse, mix, propagate
from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.forecast import forecast


@pytest.mark.parametrize(("kind", "m"), [("imm", 5), ("cv", 1)])
def test_forecast_is_the_position_of_the_full_prediction(kind, m):
    bank = design_filter(FilterSettings(filter=kind, gravity=(0.5, 1.0, -9.0))).bank
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, m, 9, 9))
    mu = rng.dirichlet(np.ones(m), size=4)
    belief = Belief(rng.normal(size=(4, m, 9)), A @ A.swapaxes(-1, -2), np.log(mu))
    after = np.array([0.1, 0.5, 2.0])
    xyz, covariance = forecast(bank, belief, after)
    assert xyz.shape == (4, 3, 3)
    assert covariance.shape == (4, 3, 3, 3)
    for k, dt in enumerate(after):
        x, P = collapse(propagate(bank, mix(bank, belief, dt), dt)[0])
        np.testing.assert_allclose(xyz[:, k], x[:, :3], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(covariance[:, k], P[:, :3, :3], rtol=1e-10, atol=1e-10)
