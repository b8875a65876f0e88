import numpy as np
import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.bench import learning  # noqa: E402


@pytest.mark.parametrize("name", learning.TASKS)
def test_tasks_are_seeded_and_irregular(name):
    task, classes = learning.TASKS[name]
    x, dt, target = task(np.random.default_rng(3), 20)
    again = task(np.random.default_rng(3), 20)
    for one, other in zip((x, dt, target), again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert x.shape[:2] == dt.shape
    assert (dt > 0).all()
    assert dt.std() > 0.01
    if classes > 1:
        assert set(target) <= set(range(classes))


def test_every_kind_has_about_as_many_parameters():
    for kind in learning.KINDS:
        model = learning._sized(kind, 2, 1)
        count = sum(p.numel() for p in model.parameters())
        assert abs(count - learning.PARAMETERS) < 0.15 * learning.PARAMETERS or kind == "diagonal"


def test_training_beats_the_mean_and_can_be_repeated():
    torch.set_num_threads(1)
    scores = [learning.train(learning.sine, 1, "adaptive", 0, 30)[1] for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0] < 0.95, "the mean scores 1"


def test_time_constants_of_a_trained_cell_move_within_their_bounds():
    model, _ = learning.train(learning.sine, 1, "adaptive", 0, 30)
    x, dt, _ = learning._tensors(learning.sine(np.random.default_rng(1), 1))
    taus = learning.tau_over_time(model, x[0], dt[0])
    assert taus.shape == (len(x[0]), model.layer.cell.units)
    assert taus.min() > 0.01
    assert taus.max() < 10.0
    assert np.log(taus).std(axis=0).max() > 0.05
