"""Networks for the tests of the liquid filter."""

import numpy as np

from liquid_mono3d_ros.liquid.advice import ANSWERS, INPUTS, Adviser
from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep


def adviser(units=16, loud=0.0, seed=0):
    """A cell with random weights; heads of zeros, or random ones."""
    rng = np.random.default_rng(seed)
    weights = {
        "W": rng.normal(size=(2 * units, INPUTS)) * 0.3,
        "U": rng.normal(size=(2 * units, units)) * 0.3,
        "b": rng.normal(size=2 * units) * 0.1,
    }
    step = RunningStep(weights, CellDesign("adaptive", tau_min=0.01, tau_max=3.0))
    heads = rng.normal(size=(ANSWERS, units)) * loud
    return Adviser(step, heads, rng.normal(size=ANSWERS) * loud)
