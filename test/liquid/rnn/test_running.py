import numpy as np
import pytest

from liquid_mono3d_ros.liquid.rnn.running import CellDesign, RunningStep

INPUTS, H = 8, 21


def draw(cell, seed=0, units=H):
    rng = np.random.default_rng(seed)
    gates = units * (2 if cell == "adaptive" else 1)
    weights = {
        "W": rng.normal(size=(gates, INPUTS)),
        "U": rng.normal(size=(gates, units)) / units**0.5,
        "b": rng.normal(size=gates),
    }
    if cell == "fixed":
        return weights | {"alpha": rng.uniform(0.1, 30, units)}, {}
    return weights, {"tau_min": 0.02, "tau_max": 5.0}


def truth(weights, design, x, h, dt):
    """The step in float64."""
    x, h, dt = (np.asarray(part, dtype=np.float64) for part in (x, h, dt))
    dt = dt[:, None] if dt.ndim else dt
    p = x @ weights["W"].T + h @ weights["U"].T + weights["b"]
    if design.cell == "fixed":
        rate, target = weights["alpha"], np.tanh(p) / weights["alpha"]
    else:
        units = h.shape[1]
        span = design.tau_max - design.tau_min
        rate = 1 / (design.tau_min + span / (1 + np.exp(-p[:, units:])))
        target = np.tanh(p[:, :units])
    return h + (rate * dt if design.euler else -np.expm1(-rate * dt)) * (target - h)


@pytest.mark.parametrize("cell", ["fixed", "adaptive"])
@pytest.mark.parametrize("euler", [False, True])
@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("units", [H, 64])
def test_numpy_and_native_are_the_step(cell, euler, batch, units, with_native):
    weights, bounds = draw(cell, units=units)
    design = CellDesign(cell, euler, **bounds)
    by_numpy = RunningStep(weights, design, use_native=False)
    by_library = RunningStep(weights, design)
    assert by_library.is_native
    assert not by_numpy.is_native
    rng = np.random.default_rng(1)
    x, h = rng.normal(size=(batch, INPUTS)), rng.uniform(-1, 1, (batch, units))
    x, h = x.astype(np.float32), h.astype(np.float32)
    for dt in (0.0, 0.033, rng.uniform(0, 0.5, batch)):
        wanted = truth(weights, design, x, h, dt)
        found = by_numpy(x, h, dt), by_library(x, h, dt)
        scale = max(1.0, np.abs(wanted).max())
        for one in found:
            assert one.dtype == np.float32
            np.testing.assert_allclose(one, wanted, atol=2e-6 * scale)
        np.testing.assert_allclose(found[0], found[1], atol=2e-6 * scale)
        if np.ndim(dt) == 0 and dt == 0.0:
            assert all(np.array_equal(one, h) for one in found)


@pytest.mark.parametrize("use_native", [False, True])
@pytest.mark.parametrize("cell", ["fixed", "adaptive"])
def test_any_step_is_bounded(cell, use_native, with_native):
    weights, bounds = draw(cell)
    step = RunningStep(weights, CellDesign(cell, **bounds), use_native=use_native)
    limit = 1 / weights["alpha"].min() if cell == "fixed" else 1.0
    x = np.full((2, INPUTS), 1e4, dtype=np.float32)
    for dt in (1e-4, 30.0, 1e4):
        h = np.zeros((2, H), dtype=np.float32)
        for _ in range(4):
            h = step(x, h, dt)
            assert (np.abs(h) <= limit * (1 + 1e-6)).all()


@pytest.mark.parametrize("use_native", [False, True])
def test_states_belong_to_the_caller(use_native, with_native):
    weights, bounds = draw("adaptive")
    step = RunningStep(weights, CellDesign("adaptive", **bounds), use_native=use_native)
    x, h = np.ones((2, INPUTS), np.float32), np.zeros((2, H), np.float32)
    first = step(x, h, 0.1)
    kept = first.copy()
    step(x, first, 0.1)
    assert (h == 0).all()
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("cell", ["fixed", "adaptive"])
def test_saved_and_loaded_is_the_same(cell, tmp_path, without_native):
    weights, bounds = draw(cell)
    step = RunningStep(weights, CellDesign(cell, **bounds))
    step.save(tmp_path / "cell.safetensors")
    again = RunningStep.load(tmp_path / "cell.safetensors")
    assert again.design.cell == cell
    x, h = np.ones((1, INPUTS), np.float32), np.zeros((1, H), np.float32)
    np.testing.assert_array_equal(again(x, h, 0.1), step(x, h, 0.1))


@pytest.mark.parametrize("name", ["fixed", "adaptive"])
@pytest.mark.parametrize("wired", [False, True])
def test_it_is_the_torch_cell(name, wired, with_native):
    torch = pytest.importorskip("torch")
    from liquid_mono3d_ros.liquid.rnn.liquid import CELLS
    from liquid_mono3d_ros.liquid.rnn.wiring import AutoNCP

    torch.manual_seed(0)
    cell = CELLS[name](INPUTS, AutoNCP(H, INPUTS, 3, dale=True) if wired else H)
    x, h, dt = torch.randn(5, INPUTS), torch.randn(5, H) / 4, torch.rand(5)
    wanted = cell(x, h, dt).detach().numpy()
    for use_native in (False, True):
        step = RunningStep.from_torch(cell, use_native=use_native)
        np.testing.assert_allclose(step(x.numpy(), h.numpy(), dt.numpy()), wanted, atol=1e-6)


def test_what_has_no_running_step_says_so():
    torch = pytest.importorskip("torch")
    from liquid_mono3d_ros.liquid.rnn.cells import LiquidCell

    assert torch
    with pytest.raises(ValueError, match="solver must be exp or euler; got 'exp_midpoint'"):
        RunningStep.from_torch(LiquidCell(2, 3, "exp_midpoint"))


def test_wrong_arguments_are_refused(without_native):
    weights, _ = draw("fixed")
    with pytest.raises(ValueError, match="cell must be fixed or adaptive; got 'gru'"):
        CellDesign("gru")
    with pytest.raises(ValueError, match="weights must be of shapes"):
        RunningStep(weights, CellDesign("adaptive", tau_min=0.1, tau_max=1.0))
    with pytest.raises(ValueError, match="use_native must be False; got True"):
        RunningStep(weights, CellDesign("fixed"), use_native=True)
