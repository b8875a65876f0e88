import dataclasses

import pytest


def make_moments(batch=3, frames=6, states=14, seed=0):
    """Streams whose events arrive in another order than they were stamped."""
    import torch

    from liquid_mono3d_ros.fusion.reader import Moments
    from liquid_mono3d_ros.fusion.trajectory_encoder import States

    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=draw)

    def some(*shape):
        return torch.rand(shape, generator=draw)

    stamp = (some(batch, states) * 0.1 + 0.05).cumsum(dim=1)
    root = 0.1 * normal(batch, states, 6, 6)
    tracks = States(
        normal(batch, states, 3),
        normal(batch, states, 3),
        root @ root.mT + 1e-3 * torch.eye(6),
        5 + some(batch, states),
        stamp,
        stamp + 0.01 + 0.01 * some(batch, states),
        torch.ones(batch, states, dtype=torch.bool),
    )
    shot = (some(batch, frames) * 0.2 + 0.1).cumsum(dim=1)
    return Moments(
        normal(batch, frames, 512),
        0.1 + some(batch, frames),
        shot,
        shot + 0.15,
        torch.ones(batch, frames, dtype=torch.bool),
        tracks,
    )


def make_streams(**given):
    """The same with features in place of states."""
    import torch

    from liquid_mono3d_ros.fusion.streams import Streams

    m = make_moments(**given)
    s = m.states
    features = torch.randn(*s.stamp.shape, 256, generator=torch.Generator().manual_seed(5))
    times = (m.side, m.video_stamp, m.video_arrival, m.video_seen)
    return Streams(m.video, *times, features, s.stamp, s.arrival, s.seen)


@pytest.fixture
def moments():
    return make_moments()


@pytest.fixture
def streams():
    return make_streams()


@pytest.fixture
def change():
    """Replace fields of a frozen dataclass."""
    return dataclasses.replace
