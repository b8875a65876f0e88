import pytest

torch = pytest.importorskip("torch")

from liquid_mono3d_ros.liquid.rnn import loops  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.sequence import (  # noqa: E402
    adaptive_scan,
    fixed_scan,
    gated_scan,
)

T, B, H = 6, 3, 5
BOUNDS = (0.02, 4.0)


def fixed_arguments(dtype=torch.float64, shape=(T, B, H), with_reset=False, euler=False):
    t, b, h = shape
    torch.manual_seed(0)
    parts = (
        torch.randn(t, b, h), torch.randn(h, h) / h**0.5, torch.rand(h) * 5 + 0.1,
        torch.randn(b, h), torch.rand(t, b) * 0.5,
    )  # fmt: skip
    reset = torch.rand(t, b) < 0.3 if with_reset else None
    return (*(part.to(dtype).requires_grad_() for part in parts), reset, euler)


def adaptive_arguments(dtype=torch.float64, shape=(T, B, H), with_reset=False, euler=False):
    t, b, h = shape
    torch.manual_seed(0)
    parts = (
        torch.randn(t, b, 2 * h), torch.randn(2 * h, h) / h**0.5,
        torch.randn(b, h), torch.rand(t, b) * (0.01 if euler else 0.5),
    )  # fmt: skip
    reset = torch.rand(t, b) < 0.3 if with_reset else None
    return (*(part.to(dtype).requires_grad_() for part in parts), reset, euler, *BOUNDS)


def gated_arguments(dtype=torch.float64, shape=(T, B, H), with_reset=False):
    drive, _, h0, dt, reset, _, *bounds = adaptive_arguments(dtype, shape, with_reset)
    return drive, h0, dt, reset, *bounds


SCANS = {
    "fixed": (fixed_scan, fixed_arguments),
    "adaptive": (adaptive_scan, adaptive_arguments),
    "gated": (gated_scan, gated_arguments),
}
OPTIONS = [{}, {"with_reset": True}, {"euler": True}, {"with_reset": True, "euler": True}]
CASES = [
    (name, options) for name in SCANS for options in (OPTIONS[:2] if name == "gated" else OPTIONS)
]


def naive_fixed(drive, U, alpha, h, dt, reset, euler):
    """The definition, left to autograd."""
    states = []
    for t in range(len(drive)):
        if reset is not None:
            h = torch.where(reset[t, :, None], 0.0, h)
        phi, step = torch.tanh(drive[t] + h @ U.T), dt[t, :, None]
        if euler:
            h = h + step * (-alpha * h + phi)
        else:
            h = torch.exp(-alpha * step) * h + (1 - torch.exp(-alpha * step)) / alpha * phi
        states.append(h)
    return torch.stack(states)


def naive_adaptive(drive, U, h, dt, reset, euler, tau_min, tau_max):
    states = []
    for t in range(len(drive)):
        if reset is not None:
            h = torch.where(reset[t, :, None], 0.0, h)
        f, gate = (drive[t] + h @ U.T).chunk(2, -1)
        ratio = dt[t, :, None] / (tau_min + (tau_max - tau_min) * torch.sigmoid(gate))
        h = h + (ratio if euler else 1 - torch.exp(-ratio)) * (torch.tanh(f) - h)
        states.append(h)
    return torch.stack(states)


def naive_gated(drive, h, dt, reset, tau_min, tau_max):
    U = torch.zeros(drive.shape[-1], h.shape[-1], dtype=drive.dtype)
    return naive_adaptive(drive, U, h, dt, reset, False, tau_min, tau_max)


NAIVE = {"fixed": naive_fixed, "adaptive": naive_adaptive, "gated": naive_gated}


def run(function, arguments):
    """Return the states, and the gradients of a weighted sum of them."""
    leaves = [a for a in arguments if isinstance(a, torch.Tensor) and a.requires_grad]
    h = function(*arguments)
    h = h[0] if isinstance(h, tuple) else h
    weight = torch.randn(h.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return [h.detach(), *torch.autograd.grad((h * weight.to(h.dtype)).sum(), leaves)]


def assert_same(found, truth, tolerance):
    for one, other in zip(found, truth, strict=True):
        scale = other.abs().max().item() + 1e-30
        assert (one.double() - other.double()).abs().max().item() <= tolerance * max(scale, 1.0)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients(name, options):
    scan, make = SCANS[name]
    assert torch.autograd.gradcheck(lambda *a: scan(*a)[0], make(**options))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_loop_is_the_definition(name, options):
    scan, make = SCANS[name]
    assert_same(run(scan, make(**options)), run(NAIVE[name], make(**options)), 1e-12)


SHAPES = [(1, 1, 1), (3, 1, 64), (4, 7, 17), (9, 64, 33)]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("plain", [False, True])
def test_native_is_the_loop(name, options, shape, plain, with_native, library):
    scan, make = SCANS[name]
    truth = run(NAIVE[name], make(shape=shape, **options))
    library.use_plain(plain)
    try:
        found = run(scan, make(torch.float32, shape, **options))
    finally:
        library.use_plain(0)
    assert_same(found, truth, 3e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 33])
def test_the_parallel_scan_is_its_recurrence(length):
    torch.manual_seed(0)
    a, b, h = torch.rand(length, 2, 3), torch.randn(length, 2, 3), torch.randn(2, 3)
    states = []
    state = h
    for t in range(length):
        state = a[t] * state + b[t]
        states.append(state)
    torch.testing.assert_close(loops.recur(a, b, h), torch.stack(states))


@pytest.mark.parametrize("name", SCANS)
def test_without_the_library_float32_takes_the_loop(name, without_native):
    scan, make = SCANS[name]
    assert_same(run(scan, make(torch.float32)), run(NAIVE[name], make()), 3e-6)


@pytest.mark.parametrize("name", SCANS)
def test_sixteen_bits_are_summed_in_thirty_two(name, without_native):
    scan, make = SCANS[name]
    narrow = make(torch.bfloat16)
    found, truth = run(scan, narrow), run(NAIVE[name], make())
    leaves = [a for a in narrow if isinstance(a, torch.Tensor) and a.requires_grad]
    assert [one.dtype for one in found[1:]] == [leaf.dtype for leaf in leaves]
    assert_same(found, truth, 0.03)


def test_dense_or_not_is_the_same(with_native):
    arguments = list(fixed_arguments(torch.float32))
    truth = run(fixed_scan, arguments)
    arguments[4] = arguments[4].detach()[:, :1].expand(T, B).requires_grad_()
    arguments[0] = arguments[0].detach().transpose(0, 1).contiguous().transpose(0, 1)
    arguments[0].requires_grad_()
    dense = [a.detach().clone().contiguous() if hasattr(a, "detach") else a for a in arguments]
    dense = [a.requires_grad_() if hasattr(a, "detach") else a for a in dense]
    assert_same(run(fixed_scan, arguments), run(fixed_scan, dense), 1e-6)
    assert len(truth) == 6


@pytest.mark.parametrize("backend", ["with_native", "without_native"])
@pytest.mark.parametrize("options", [{}, {"with_reset": True}])
def test_opcheck(backend, options, request):
    request.getfixturevalue(backend)
    for scan, make in SCANS.values():
        torch.library.opcheck(scan, make(torch.float32, **options))


@pytest.mark.parametrize("name", SCANS)
def test_an_empty_sequence(name, with_native):
    scan, make = SCANS[name]
    found = run(scan, make(torch.float32, (0, B, H)))
    assert found[0].shape == (0, B, H)
    assert all((gradient == 0).all() for gradient in found[1:])


def test_the_values_of_tanh_and_tau_come_with_the_states():
    _, phi = fixed_scan(*fixed_arguments())
    _, gates = adaptive_scan(*adaptive_arguments())
    assert not phi.requires_grad
    assert not gates.requires_grad
    tau = gates[..., H:]
    assert (tau > BOUNDS[0]).all()
    assert (tau < BOUNDS[1]).all()


def test_states_before_each_step():
    h0, h = torch.ones(1, 2), torch.arange(4.0).reshape(2, 1, 2)
    reset = torch.tensor([[False], [True]])
    assert torch.equal(loops.before(h0, h, None), torch.stack([h0, h[0]]))
    assert torch.equal(loops.before(h0, h, reset), torch.stack([h0, torch.zeros(1, 2)]))
