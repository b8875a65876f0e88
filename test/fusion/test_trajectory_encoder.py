import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.trajectory_encoder import (  # noqa: E402
    NUMBERS,
    TrajectoryEncoder,
    state_numbers,
)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return TrajectoryEncoder().requires_grad_(False)


def test_a_state_becomes_256_numbers(encoder, moments):
    assert encoder(moments.states).shape == (3, 14, 256)
    assert state_numbers(moments.states).shape == (3, 14, NUMBERS)


def test_where_the_origin_is_does_not_matter(encoder, moments, change):
    moved = change(moments.states, xyz=moments.states.xyz + torch.tensor([4.0, -7.0, 2.0]))
    torch.testing.assert_close(encoder(moved), encoder(moments.states), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["xyz", "velocity", "covariance", "range", "stamp"])
def test_every_part_of_a_state_is_heard_and_moves_no_earlier_feature(
    encoder, moments, change, name
):
    values = getattr(moments.states, name).clone()
    values[:, 9:] = 1.5 * values[:, 9:] + 0.1
    before = encoder(moments.states)
    after = encoder(change(moments.states, **{name: values}))
    assert torch.equal(after[:, :9], before[:, :9])
    assert (after[:, 9] != before[:, 9]).any(dim=1).all()


def test_unseen_states_are_nothing(encoder, moments, change):
    seen = moments.states.seen.clone()
    seen[:, [0, 1, 6]] = False
    xyz = moments.states.xyz.clone()
    before = encoder(change(moments.states, seen=seen))
    xyz[:, [0, 1, 6]] = 1e6
    after = encoder(change(moments.states, seen=seen, xyz=xyz))
    assert (before[:, [0, 1, 6]] == 0).all()
    assert torch.equal(before, after)


def test_a_velocity_is_squashed_at_3_m_per_s(moments, change):
    velocity = torch.full_like(moments.states.velocity, 3.0)
    numbers = state_numbers(change(moments.states, velocity=velocity))
    torch.testing.assert_close(numbers[..., 3:6], torch.full_like(velocity, 1.0).tanh())
