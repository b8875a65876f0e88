import shutil

import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid.rnn.liquid import CELLS, Liquid  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.synapses import affine  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.wiring import AutoNCP, from_ncps  # noqa: E402

B, T, INPUTS, H = 4, 7, 3, 6
KINDS = list(CELLS)


def make(cell="adaptive", *arguments, seed=0, units=H, **named):
    torch.manual_seed(seed)
    return Liquid(INPUTS, units, *arguments, cell=cell, **named)


def draw(seed=1, b=B, t=T):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, t, INPUTS, generator=generator), torch.rand(b, t, generator=generator)


@pytest.fixture(autouse=True)
def native(with_native):
    """Everything runs on the native library where it serves; test_sequence.py tests the rest."""


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
def test_steps_are_the_sequence(cell, mixed):
    rnn, (x, dt) = make(cell, 2, mixed_memory=mixed), draw()
    out, last = rnn(x, timespans=dt)
    hx = None
    for t in range(T):
        y, hx = rnn.step(x[:, t], hx, dt[:, t])
        torch.testing.assert_close(y, out[:, t])
    torch.testing.assert_close(hx, last)
    assert out.shape == (B, T, 2)


@pytest.mark.parametrize("solver", ["exp_midpoint", "euler"])
@pytest.mark.parametrize("cell", ["fixed", "adaptive", "ltc"])
def test_steps_are_the_sequence_with_other_solvers(cell, solver):
    rnn, (x, dt) = make(cell, solver=solver), draw()
    out, _ = rnn(x, timespans=dt * 0.01)
    hx = None
    for t in range(T):
        y, hx = rnn.step(x[:, t], hx, dt[:, t] * 0.01)
        torch.testing.assert_close(y, out[:, t])


@pytest.mark.parametrize("cell", KINDS)
def test_every_form_of_timespans(cell):
    rnn, (x, dt) = make(cell), draw()
    same = dt[0]
    truth, _ = rnn(x, timespans=same.expand(B, T))
    torch.testing.assert_close(rnn(x, timespans=same)[0], truth)
    torch.testing.assert_close(rnn(x, timespans=same.expand(B, T)[..., None])[0], truth)
    seconds = rnn(x, timespans=torch.full((B, T), 0.2))[0]
    torch.testing.assert_close(rnn(x, timespans=0.2)[0], seconds)
    torch.testing.assert_close(rnn(x, timespans=torch.tensor(0.2))[0], seconds)
    torch.testing.assert_close(rnn(x)[0], rnn(x, timespans=1.0)[0])


@pytest.mark.parametrize("cell", KINDS)
def test_batch_as_large_as_units(cell):
    """Probe of ncps: batched timespans were taken for neurons' when B == units."""
    rnn, (x, dt) = make(cell), draw(b=H)
    together, _ = rnn(x, timespans=dt)
    for b in range(H):
        alone, _ = rnn(x[b : b + 1], timespans=dt[b : b + 1])
        torch.testing.assert_close(together[b : b + 1], alone)


@pytest.mark.parametrize("cell", KINDS)
def test_no_time_no_change(cell):
    """Probe of ncps: NaN of LTC, a jump of CfC at dt = 0."""
    rnn, (x, _) = make(cell), draw()
    hx = torch.randn(B, H)
    out, last = rnn(x, hx, timespans=0.0)
    torch.testing.assert_close(out, hx[:, None].expand(B, T, H), rtol=0, atol=0)
    assert torch.equal(last, hx)


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("seconds", [1e-4, 30.0, 1e4])
def test_long_and_short_steps_are_finite(cell, seconds):
    rnn, (x, _) = make(cell), draw()
    x.requires_grad_()
    out, _ = rnn(x, timespans=seconds)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_an_empty_sequence(cell, mixed, sequences):
    """Probe of ncps: T = 0 crashed."""
    rnn = make(cell, None, sequences, mixed_memory=mixed)
    out, last = rnn(torch.zeros(B, 0, INPUTS), timespans=torch.zeros(B, 0))
    assert out.shape == ((B, 0, H) if sequences else (B, H))
    state = last[0] if mixed else last
    assert torch.equal(state, torch.zeros(B, H))


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_dtype_follows_the_input(cell, mixed, kind):
    """Probe of ncps: bf16 failed."""
    rnn, (x, dt) = make(cell, mixed_memory=mixed), draw()
    truth = rnn(x, timespans=dt)[0]
    out, last = rnn.to(kind)(x.to(kind), timespans=dt)
    assert out.dtype == kind
    assert (last[0] if mixed else last).dtype == kind
    torch.testing.assert_close(
        out.float(), truth, rtol=0, atol=0.05 if kind.itemsize == 2 else 1e-5
    )
    y, _ = rnn.step(x[:, 0].to(kind), None, dt[:, 0])
    assert y.dtype == kind


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
def test_a_ragged_mask_is_a_run_of_each_track(cell, mixed):
    rnn, (x, dt) = make(cell, mixed_memory=mixed), draw()
    mask = torch.rand(B, T, generator=torch.Generator().manual_seed(3)) < 0.6
    x, dt = x.clone(), dt.clone()
    x[~mask], dt[~mask] = torch.nan, torch.nan  # must not be looked at
    out, last = rnn(x, timespans=dt, mask=mask)
    for b in range(B):
        alone, end = rnn(x[b : b + 1, mask[b]], timespans=dt[b : b + 1, mask[b]])
        torch.testing.assert_close(out[b, mask[b]], alone[0])
        for one, other in zip(last if mixed else [last], end if mixed else [end], strict=True):
            torch.testing.assert_close(one[b], other[0])


def test_masked_steps_get_no_gradient():
    rnn, (x, dt) = make(), draw()
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[:, 2] = False
    x.requires_grad_()
    dt.requires_grad_()
    rnn(x, timespans=dt, mask=mask)[0].sum().backward()
    assert (x.grad[:, 2] == 0).all()
    assert (dt.grad[:, 2] == 0).all()
    assert (x.grad[:, 1] != 0).all()


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
def test_a_reset_begins_anew(cell, mixed):
    rnn, (x, dt) = make(cell, mixed_memory=mixed), draw()
    reset = torch.zeros(B, T, dtype=torch.bool)
    reset[1, 3] = reset[2, 0] = True
    hx = torch.randn(B, H)
    start = (hx, hx.clone()) if mixed else hx
    out, _ = rnn(x, start, timespans=dt, reset=reset)
    plain, _ = rnn(x, start, timespans=dt)
    torch.testing.assert_close(out[[0, 3]], plain[[0, 3]])
    torch.testing.assert_close(out[1, :3], plain[1, :3])
    torch.testing.assert_close(out[1:2, 3:], rnn(x[1:2, 3:], timespans=dt[1:2, 3:])[0])
    torch.testing.assert_close(out[2:3], rnn(x[2:3], timespans=dt[2:3])[0])


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_axes(cell, mixed, sequences):
    """batch_first, and one sequence without a batch."""
    rnn, (x, dt) = make(cell, None, sequences, mixed_memory=mixed), draw()
    out, last = rnn(x, timespans=dt)
    rnn.batch_first = False
    turned, _ = rnn(x.transpose(0, 1), timespans=dt.t())
    torch.testing.assert_close(turned.transpose(0, 1) if sequences else turned, out)
    for rnn.batch_first in (True, False):
        alone, end = rnn(x[0], timespans=dt[0])
        torch.testing.assert_close(alone, out[0])
        torch.testing.assert_close(end, tuple(part[0] for part in last) if mixed else last[0])
        again, _ = rnn(x[0], end, timespans=dt[0], mask=torch.zeros(T, dtype=torch.bool))
        assert torch.equal(again[-1] if sequences else again, end[0] if mixed else end)


@pytest.mark.parametrize("inputs", [1, 8, 15, 16, 40])
def test_gradients_of_thin_and_wide_inputs(inputs):
    x, W, b = torch.randn(3, 2, inputs), torch.randn(7, inputs), torch.randn(7)
    leaves = [one.double().requires_grad_() for one in (x, W, b)]
    assert torch.autograd.gradcheck(affine, leaves)


def test_gradients_of_state_and_time():
    rnn = make(dtype := "adaptive").double()
    x, dt = (part.double().requires_grad_() for part in draw())
    hx = torch.randn(B, H, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, h, dt: rnn(x, h, dt)[0], (x, hx, dt)), dtype


def assert_compiled_is_eager(cell, backend):
    """Outputs, and gradients of input, state, time steps and every parameter."""
    rnn, (x, dt) = make(cell), draw(t=3)
    leaves = [x, torch.randn(B, H), dt]
    for leaf in leaves:
        leaf.requires_grad_()
    torch.compiler.reset()
    compiled = torch.compile(rnn, backend=backend, fullgraph=True)
    found, truth = (layer(*leaves)[0] for layer in (compiled, rnn))
    torch.testing.assert_close(found, truth)
    leaves += rnn.parameters()
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), leaves),
        torch.autograd.grad(truth.square().sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cell", KINDS)
def test_it_compiles_in_one_piece(cell):
    assert_compiled_is_eager(cell, "aot_eager")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_it_compiles_to_machine_code():
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler")
    assert_compiled_is_eager("adaptive", "inductor")


@pytest.mark.parametrize("cell", ["fixed", "adaptive", "ltc", "cfc"])
def test_a_wired_layer_answers_with_its_motor_neurons(cell):
    wiring = AutoNCP(12, INPUTS, 2)
    rnn, (x, dt) = make(cell, units=wiring), draw()
    out, last = rnn(x, timespans=dt)
    assert out.shape == (B, T, 2)
    assert last.shape == (B, 12)
    torch.testing.assert_close(out[:, -1], last[:, :2])


def test_a_wiring_of_ncps_drives_a_layer():
    theirs = pytest.importorskip("ncps.wirings").AutoNCP(12, 2)
    theirs.build(INPUTS)
    out, _ = make("cfc", units=from_ncps(theirs))(draw()[0])
    assert out.shape == (B, T, 2)


def train(cell, seed):
    rnn = make(cell, 1, seed=seed)
    optimiser = torch.optim.Adam(rnn.parameters(), lr=1e-2)
    x, dt = draw(b=8, t=20)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = (rnn(x, timespans=dt)[0] - x[..., :1].cumsum(1)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, torch.cat([p.detach().flatten() for p in rnn.parameters()])


@pytest.mark.parametrize("cell", KINDS)
def test_training_repeats_bit_for_bit(cell):
    losses, weights = train(cell, 0)
    again, same = train(cell, 0)
    assert losses == again
    assert torch.equal(weights, same)
    # the slow ones have moved less in fifteen steps
    assert losses[-1] < (0.97 if cell in ("diagonal", "ltc") else 0.9) * losses[0]
    assert not torch.equal(weights, train(cell, 1)[1])


OUTPUT, GRADIENT = 0, 1
AGREEMENT = {torch.float32: (1e-6, 5e-6), torch.bfloat16: (1e-2, 4e-2)}
"""Of norms, |found - float64| / |float64|: outputs, and the worst of all gradients."""


def outputs_and_gradients(cell, kind):
    """Of the same bfloat16 numbers, worked out in another type."""
    rnn, (x, dt) = make(cell, units=32).bfloat16().to(kind), draw(b=8, t=100)
    leaves = [x.bfloat16().to(kind), torch.randn(8, 32).bfloat16().to(kind), 0.2 * dt]
    leaves = [leaf.requires_grad_() for leaf in leaves] + list(rnn.parameters())
    out, _ = rnn(*leaves[:3])
    weight = torch.randn(out.shape).bfloat16().to(kind)
    found = torch.autograd.grad((out * weight).sum(), leaves, allow_unused=True)
    return out, [one for one in found if one is not None]


@pytest.mark.parametrize("cell", KINDS)
@pytest.mark.parametrize("kind", AGREEMENT)
def test_agreement_with_float64(cell, kind):
    """The tolerances stated in docs/liquid.md."""
    out, grads = outputs_and_gradients(cell, kind)
    true_out, true_grads = outputs_and_gradients(cell, torch.float64)

    def error(one, other):
        return ((one.double() - other).norm() / other.norm()).item()

    assert error(out, true_out) <= AGREEMENT[kind][OUTPUT]
    worst = max(error(one, other) for one, other in zip(grads, true_grads, strict=True))
    assert worst <= AGREEMENT[kind][GRADIENT]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: make("gru"), "cell must be one of adaptive, fixed"),
        (lambda: make()(draw()[0], timespans=-1.0), "timespans must be at least 0 s; got -1.0"),
        (lambda: make()(draw()[0], timespans=torch.ones(T, B)), "timespans must be of shape"),
        (lambda: make()(draw()[0], torch.zeros(2, H)), "hx must be of shape"),
        (lambda: make(mixed_memory=True)(draw()[0], torch.zeros(B, H)), "hx must be"),
        (lambda: make()(draw()[0], mask=torch.ones(B, 2, dtype=torch.bool)), "mask must be of"),
    ],
)
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
