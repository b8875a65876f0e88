import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.fusion.trajectory_model import (  # noqa: E402
    KINDS,
    MOTIONS,
    make_trajectory_model,
    num_features,
    track_features,
)


@pytest.fixture(params=KINDS)
def model(request):
    torch.manual_seed(0)
    return make_trajectory_model(request.param, 5, 4000).eval().requires_grad_(False)


def steps(batch=3, length=12):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(batch, length, 5, generator=draw)
    dt = 0.01 + 0.1 * torch.rand(batch, length, generator=draw)
    dt[:, 0] = 0
    return x, dt, torch.ones(batch, length, dtype=torch.bool)


def test_the_shapes_of_a_reading(model):
    reading = model(*steps())
    assert reading.motion.shape == (3, len(MOTIONS))
    assert reading.persistent.shape == (3,)
    assert reading.hidden.shape == (3, 12, model.units)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [num_features(3), 512])
def test_twins_have_as_many_parameters(kind, size):
    model = make_trajectory_model(kind, size, 60_000)
    assert abs(model.num_parameters / 60_000 - 1) < 0.05


def test_an_unknown_kind_is_refused():
    with pytest.raises(
        ValueError, match="kind must be one of liquid, gru, transformer; got 'lstm'"
    ):
        make_trajectory_model("lstm", 5, 4000)


def test_inputs_of_another_width_are_refused(model):
    x, dt, seen = steps()
    with pytest.raises(ValueError, match=r"x must be of shape \(B, T, 5\), and dt \(B, T\); got"):
        model(x[..., :4], dt, seen)


def test_later_steps_never_move_earlier_states(model):
    x, dt, seen = steps()
    before = model(x, dt, seen).hidden
    x[:, 8:] += 1
    after = model(x, dt, seen).hidden
    torch.testing.assert_close(after[:, :8], before[:, :8], rtol=0, atol=1e-6)
    assert (after[:, 8] != before[:, 8]).any(dim=1).all()


def test_unseen_steps_change_nothing(model):
    """A track with gaps reads as one without those steps."""
    x, dt, seen = steps()
    seen[:, [0, 3, 4, 11]] = False
    there = seen[0].nonzero()[:, 0]
    alone = model(x[:, there], dt[:, there], seen[:, there])
    x[:, ~seen[0]], dt[:, ~seen[0]] = 1e3, 7.0
    reading = model(x, dt, seen)
    torch.testing.assert_close(reading.motion, alone.motion, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(reading.persistent, alone.persistent, rtol=1e-4, atol=1e-5)


def test_every_kind_hears_the_time_between_steps(model):
    x, dt, seen = steps()
    assert (model(x, dt, seen).motion != model(x, 3 * dt, seen).motion).any()


def track(length=40):
    t = (torch.arange(length) / 30).expand(2, -1)
    xyz = torch.stack([2 * t, torch.sin(3 * t), 0.5 * t * t], dim=2)
    return t, xyz, torch.full_like(t, 0.02), torch.ones(2, length, dtype=torch.bool)


def test_where_the_origin_is_does_not_matter():
    t, xyz, sigma, seen = track()
    features = track_features(t, xyz, sigma, seen)
    assert features.shape == (2, 40, num_features(3))
    moved = track_features(t, xyz + torch.tensor([5.0, -3.0, 2.0]), sigma, seen)
    torch.testing.assert_close(moved, features, rtol=0, atol=1e-3)


def test_velocity_is_that_of_the_lag():
    t, _, sigma, seen = track()
    line = torch.stack([2 * t, 0 * t, 0 * t], dim=2)
    features = track_features(t, line, sigma, seen)
    squashed = features[:, 12:, 6]  # along x, over one step
    torch.testing.assert_close(squashed, torch.full_like(squashed, 2 / 5).tanh())


def test_along_the_axes_a_line_is_noise_but_for_one():
    t, _, sigma, seen = track()
    draw = torch.Generator().manual_seed(0)
    line = t[..., None] * torch.tensor([1.0, 2.0, -2.0])
    line = line + 0.02 * torch.randn(2, 40, 3, generator=draw)
    over = 4 * torch.atanh(track_features(t, line, sigma, seen)[..., -9:-6].clamp(-0.999, 0.999))
    assert over[..., :2].std() == pytest.approx(1.0, abs=0.15)
    assert (over[:, 30:, 2] > 5).all()  # towards the end


def test_unseen_points_are_not_looked_at():
    t, xyz, sigma, seen = track()
    seen[:, 10:14] = False
    features = track_features(t, xyz, sigma, seen)
    xyz = torch.where(seen[..., None], xyz, 1e6)
    torch.testing.assert_close(track_features(t, xyz, sigma, seen), features)
    assert (features[:, 10:14] == 0).all()


@pytest.mark.parametrize("size", [2, 4])
def test_pixels_of_one_camera_or_two_will_do(size):
    t, xyz, sigma, seen = track()
    uv = torch.cat([xyz, xyz], dim=2)[..., :size]
    assert track_features(t, uv, sigma, seen).shape == (2, 40, num_features(size))
