import numpy as np
import pytest

from liquid_mono3d_ros.liquid.motion import MotionBank


@pytest.fixture(scope="package")
def motions():
    """Five members, not the tuned ones."""
    return MotionBank(
        np.array([False, True, True, False, False]),
        np.array([0.03, 10.0, 300.0, 100.0, 0.1]),
        np.array([0.4, 0.2, 0.2, 0.05, 0.15]),
        1.0,
        5.0,
        1e-3,
        falls=np.array([False, False, False, False, True]),
        gated=np.array([True, True, True, False, True]),
    )


@pytest.fixture(scope="package")
def twin(motions):
    from liquid_mono3d_ros.train.differentiable_bank import TorchBank

    return TorchBank(motions, gate=11.34, speed_sigma=3.0)
