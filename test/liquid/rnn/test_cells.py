import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from liquid_mono3d_ros.liquid.rnn.cells import (  # noqa: E402
    AdaptiveTauCell,
    DiagonalCell,
    LiquidCell,
    LTCCell,
)
from liquid_mono3d_ros.liquid.rnn.closed_form import CfCCell  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.wiring import NCP, FullyConnected  # noqa: E402

CELLS = [LiquidCell, AdaptiveTauCell, DiagonalCell, LTCCell, CfCCell]
SOLVED = [LiquidCell, AdaptiveTauCell, LTCCell]
B, INPUTS, H = 4, 3, 5


def make(cell, *options, seed=0, dtype=torch.float64, **named):
    torch.manual_seed(seed)
    return cell(INPUTS, H, *options, **named).to(dtype)


def draw_state(dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x, h = (torch.randn(B, size, generator=generator, dtype=dtype) for size in (INPUTS, H))
    return x, h


def bound(cell, h):
    """Largest |h'| that the cell's docstring allows."""
    limit = {
        LiquidCell: lambda: (1 / cell.alpha).max(),
        LTCCell: lambda: cell.A.abs().max(),
    }.get(type(cell), lambda: torch.tensor(1.0))()
    return max(h.abs().max().item(), limit.item()) * (1 + 1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_everything_and_dt(cell):
    made = make(cell, **({"backbone_units": 4} if cell is CfCCell else {}))
    x, h = (part.requires_grad_() for part in draw_state())
    dt = torch.rand(B, dtype=torch.float64).requires_grad_()
    names, parameters = zip(*made.named_parameters(), strict=True)

    def run(x, h, dt, *values):
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (x, h, dt))

    assert torch.autograd.gradcheck(run, (x, h, dt, *parameters))


@pytest.mark.parametrize("cell", SOLVED)
@pytest.mark.parametrize("solver", ["exp_midpoint", "euler"])
def test_gradients_with_other_solvers(cell, solver):
    made = make(cell, solver)
    x, h = (part.requires_grad_() for part in draw_state())
    dt = torch.rand(B, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(made, (x, h, dt))


def test_euler_gradients_are_those_of_the_equation():
    """The equations of one step, written out."""
    cell = make(LiquidCell, "euler")
    (x, h), dt = draw_state(), torch.rand(B, 1, dtype=torch.float64)
    x.requires_grad_()
    h.requires_grad_()
    new = cell(x, h, dt)
    g = torch.randn_like(new)
    new.backward(g)
    W, U, alpha = cell.synapses.W, cell.synapses.U, cell.alpha
    phi = torch.tanh(x @ W.T + h @ U.T + cell.synapses.b)
    t = dt * g * (1 - phi**2)
    torch.testing.assert_close(new, h + dt * (-alpha * h + phi))
    torch.testing.assert_close(x.grad, t @ W)
    torch.testing.assert_close(h.grad, g * (1 - dt * alpha) + t @ U)
    torch.testing.assert_close(W.grad, t.T @ x)
    torch.testing.assert_close(U.grad, t.T @ h)
    d_raw = (-dt * g * h).sum(0) * torch.sigmoid(cell.alpha_raw)
    torch.testing.assert_close(cell.alpha_raw.grad, d_raw)


@pytest.mark.parametrize("cell", CELLS)
def test_no_time_no_change(cell):
    made, (x, h) = make(cell, dtype=torch.float32), draw_state(torch.float32)
    assert torch.equal(made(x, h, 0.0), h)
    assert torch.equal(made(x, h, torch.zeros(B)), h)


@pytest.mark.parametrize("cell", SOLVED)
@pytest.mark.parametrize("solver", ["exp_midpoint", "euler"])
def test_no_time_no_change_with_other_solvers(cell, solver):
    made, (x, h) = make(cell, solver), draw_state()
    assert torch.equal(made(x, h, 0.0), h)


@pytest.mark.parametrize("cell", [*SOLVED, DiagonalCell])
def test_after_very_long_it_is_at_the_target(cell):
    made, (x, h) = make(cell), draw_state()
    target = made.flow(x, h)[1]
    torch.testing.assert_close(made(x, h, 1e6), target.expand_as(h))


@pytest.mark.parametrize("cell", CELLS)
def test_seconds_and_samples(cell):
    """dt as a number, (B,) and (B, 1) say the same; each sample has its own."""
    made, (x, h) = make(cell), draw_state()
    dt = torch.tensor([0.0, 0.1, 1.0, 30.0], dtype=torch.float64)
    together = made(x, h, dt)
    torch.testing.assert_close(made(x, h, dt[:, None]), together)
    for b in range(B):
        alone = made(x[b : b + 1], h[b : b + 1], float(dt[b]))
        torch.testing.assert_close(together[b : b + 1], alone)


@settings(max_examples=30, deadline=None)
@given(
    exponent=st.floats(-4, 4), size=st.floats(0, 100), seed=st.integers(0, 9),
    number=st.integers(0, len(CELLS) - 1), solver=st.sampled_from(["exp", "exp_midpoint"]),
)  # fmt: skip
def test_bounded_for_any_step(exponent, size, seed, number, solver):
    cell = CELLS[number]
    options = (solver,) if cell in SOLVED else ()
    made = make(cell, *options, seed=seed, dtype=torch.float32)
    x, h = draw_state(torch.float32, seed)
    for _ in range(5):
        following = made(x * size, h, 10.0**exponent)
        assert torch.isfinite(following).all()
        assert following.abs().max() <= bound(made, h)
        h = following


def freeze(cell):
    """Leave rate and target no ear for the state."""
    cell.synapses.U.data.zero_()
    return cell


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, LTCCell])
def test_two_half_steps_are_one_with_rate_and_target_held(cell):
    made, (x, h) = freeze(make(cell)), draw_state()
    torch.testing.assert_close(made(x, made(x, h, 0.3), 0.4), made(x, h, 0.7))


def test_two_half_steps_are_one_in_the_diagonal_cell():
    made, (x, h) = make(DiagonalCell), draw_state()
    torch.testing.assert_close(made(x, made(x, h, 0.3), 0.4), made(x, h, 0.7))


def slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, LTCCell])
def test_splitting_a_step_differs_by_the_square_of_dt(cell):
    made, (x, h) = make(cell), draw_state()
    steps = np.geomspace(1e-4, 2e-3, 6)
    errors = [
        (made(x, made(x, h, dt / 2), dt / 2) - made(x, h, dt)).abs().max().item() for dt in steps
    ]
    assert slope(steps, errors) == pytest.approx(2, abs=0.1)


def integrate(made, x, h, length):
    """Runge-Kutta of fourth order, dh/dt = rate (target - h)."""

    def f(h):
        rate, target = made.flow(x, h)
        return rate * (target - h)

    dt = length / 200
    for _ in range(200):
        a = f(h)
        b = f(h + dt / 2 * a)
        c = f(h + dt / 2 * b)
        d = f(h + dt * c)
        h = h + dt / 6 * (a + 2 * b + 2 * c + d)
    return h


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, LTCCell])
@pytest.mark.parametrize(("solver", "order"), [("exp", 1), ("euler", 1), ("exp_midpoint", 2)])
def test_order_against_runge_kutta(cell, solver, order):
    made, (x, h) = make(cell, solver), draw_state()
    length, counts = 0.04, np.array([8, 16, 32, 64])
    truth, errors = integrate(made, x, h, length), []
    for count in counts:
        state = h
        for _ in range(count):
            state = made(x, state, length / count)
        errors.append((state - truth).abs().max().item())
    assert slope(length / counts, errors) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("cell", [AdaptiveTauCell, DiagonalCell])
def test_convention_tau_is_in_seconds(cell):
    """After tau seconds 63 % of the way is done."""
    made, (x, h) = make(cell), draw_state()
    with torch.no_grad():
        made.synapses.W[H:] = 0
        if made.synapses.U is not None:
            made.synapses.U.zero_()
        made.synapses.b[H:] = math.log((0.5 - 0.01) / (10 - 0.5))  # tau = 0.5 s
    tau = made.tau(x) if cell is DiagonalCell else made.tau(x, h)
    torch.testing.assert_close(tau, torch.full_like(tau, 0.5))
    way = (made(x, h, 0.5) - h) / (made.flow(x, h)[1] - h)
    torch.testing.assert_close(way, torch.full_like(way, 1 - math.exp(-1)))


def test_convention_alpha_is_in_one_over_seconds():
    made, (x, h) = freeze(make(LiquidCell)), draw_state()
    with torch.no_grad():
        made.alpha_raw[:] = math.log(math.expm1(2.0 - 0.1))  # alpha = 2 / s
    way = (made(x, h, 0.5) - h) / (made.flow(x, h)[1] - h)
    torch.testing.assert_close(way, torch.full_like(way, 1 - math.exp(-1)))


def test_a_fresh_cell_spreads_its_time_constants():
    tau = 1 / LiquidCell(3, 32).alpha.detach()
    assert tau.min() == pytest.approx(0.03, rel=1e-3)
    assert tau.max() == pytest.approx(3.0, rel=1e-3)
    for first in range(0, 32, 8):  # in every layer of a circuit
        assert tau[first : first + 8].max() > 10 * tau[first : first + 8].min()
    adaptive = AdaptiveTauCell(3, 32)
    x, h = torch.zeros(1, 3), torch.zeros(1, 32)
    tau = adaptive.tau(x, h).detach()
    assert tau.min() == pytest.approx(0.03, rel=1e-2)
    assert tau.max() == pytest.approx(3.0, rel=1e-2)


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, LTCCell, CfCCell])
def test_a_wiring_masks_every_matrix(cell):
    """A neuron feels only its own past and those that reach it; gates included."""
    wiring = NCP(
        INPUTS, 5, 4, 2, sensory_fanout=2, inter_fanout=2, recurrent_command_synapses=3,
        motor_fanin=2,
    )  # fmt: skip
    torch.manual_seed(0)
    made = cell(INPUTS, wiring).double()
    x, h = (torch.randn(size, dtype=torch.float64) for size in (INPUTS, wiring.units))
    by_x, by_h = torch.autograd.functional.jacobian(
        lambda x, h: made(x[None], h[None], 0.3)[0], (x, h)
    )
    off = torch.from_numpy((wiring.adjacency == 0) & ~np.eye(wiring.units, dtype=bool))
    assert (by_h.T[off] == 0).all()
    assert (by_x.T[torch.from_numpy(wiring.sensory_adjacency == 0)] == 0).all()
    assert (by_h.T[torch.from_numpy(wiring.adjacency != 0)] != 0).all()


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, LTCCell, CfCCell])
def test_dale_holds_whatever_is_learned(cell):
    """No neuron both excites and inhibits, in any gate, whatever numbers an optimiser writes."""
    wiring = FullyConnected(6, INPUTS, dale=True)
    made = cell(INPUTS, wiring)
    made.synapses.U.data.normal_(generator=torch.Generator().manual_seed(0))
    U = made.synapses.weights()[1].detach()
    assert (U * torch.from_numpy(wiring.sign.astype(np.float32)) > 0).all()
    assert (made.synapses.U.detach() * U < 0).any()


def test_cfc_tends_to_its_source_with_time():
    """With the onset over, h' is f1 (1 - s) + s f2."""
    made, (x, h) = make(CfCCell, backbone_layers=0), draw_state()
    f1, f2, a, b = made._heads(x, h).chunk(4, dim=-1)
    s = torch.sigmoid(a * 2.0 + b)
    closed = torch.tanh(f1) * (1 - s) + s * torch.tanh(f2)
    torch.testing.assert_close(made(x, h, 2.0), closed)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: LiquidCell(2, 3, "rk4"), ValueError, "solver must be one of exp, exp_midpoint"),
        (lambda: DiagonalCell(2, 3, "euler"), ValueError, "solver must be one of exp; got"),
        (lambda: AdaptiveTauCell(2, 3, tau_min=0.0), ValueError, "tau_min, tau_max must be"),
        (lambda: CfCCell(2, 3, "pure"), ValueError, "mode must be one of default, no_gate"),
        (lambda: DiagonalCell(2, FullyConnected(3, 2)), TypeError, "units must be a number"),
        (lambda: LiquidCell(4, FullyConnected(3, 2)), ValueError, "input_size must be the wiring"),
        (lambda: make(LiquidCell)(*draw_state(), -0.1), ValueError, "dt must be at least 0 s"),
        (
            lambda: make(LiquidCell)(*draw_state(), torch.ones(3)),
            ValueError,
            "dt must be a number",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
