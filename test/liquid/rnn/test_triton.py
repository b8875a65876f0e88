"""The scans on a GPU are the loops in float64, to the precision of their products.

Tolerances are of norms, |found - truth| / |truth|, absolute where the truth is below one: tf32
and the float16 that stands in for it keep 11 bits, bfloat16 8; three tf32 products come close to
float32.
"""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

from liquid_mono3d_ros.liquid.rnn import loops, triton_scan  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.cells import (  # noqa: E402
    AdaptiveTauCell,
    DiagonalCell,
    LiquidCell,
)
from liquid_mono3d_ros.liquid.rnn.sequence import (  # noqa: E402
    adaptive_scan,
    fixed_scan,
    gated_scan,
)

pytestmark = pytest.mark.gpu

TOLERANCE = {"fp32": 3e-4, "tf32": 2e-3, "bf16": 2e-2}
BOUNDS = (0.02, 4.0)
SCANS = {"fixed": fixed_scan, "adaptive": adaptive_scan, "gated": gated_scan}
SHAPES = [
    (1, 1, 1),
    (1, 13, 64),
    (37, 13, 48),
    (20, 9, 64),
    (33, 7, 128),
    (25, 5, 256),
    (5, 3, 300),
]
OPTIONS = [{}, {"with_reset": True}, {"euler": True}]


@pytest.fixture(autouse=True)
def switches():
    parts = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [part.allow_tf32 for part in parts]
    yield
    for part, value in zip(parts, before, strict=True):
        part.allow_tf32 = value


def allow_tf32(precision):
    torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def make(name, shape, with_reset=False, euler=False):
    """Arguments of a scan in float64, the differentiable ones first."""
    T, B, H = shape
    torch.manual_seed(0)
    gates = 1 if name == "fixed" else 2
    drive, U = torch.randn(T, B, gates * H), torch.randn(gates * H, H) / H**0.5
    alpha, h0 = torch.rand(H) * 5 + 0.1, torch.randn(B, H)
    dt = torch.rand(T, B) * (0.01 if euler else 0.3)
    parts = {
        "fixed": (drive, U, alpha, h0, dt),
        "adaptive": (drive, U, h0, dt),
        "gated": (drive, h0, dt),
    }[name]
    options = {"fixed": (euler,), "adaptive": (euler, *BOUNDS), "gated": BOUNDS}[name]
    reset = (torch.rand(T, B) < 0.2).cuda() if with_reset else None
    return [part.double().cuda() for part in parts], (reset, *options)


def run(name, parts, options, kind):
    """Return outputs, and the gradients of a weighted sum of the states."""
    leaves = [part.to(kind).requires_grad_() for part in parts]
    outputs = SCANS[name](*leaves, *options)
    h = outputs[0]
    weight = torch.randn(h.shape, generator=torch.Generator().manual_seed(1)).cuda()
    return [*outputs, *torch.autograd.grad(h, leaves, weight.to(kind))]


def error(one, other):
    return ((one.double() - other).norm() / other.norm().clamp(min=1)).item()


def assert_same(name, parts, options, precision):
    allow_tf32(precision)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    # The truth sees the numbers as that type has them.
    truth = run(name, [part.to(kind).double() for part in parts], options, torch.float64)
    found = run(name, parts, options, kind)
    assert all(one.dtype == kind for one in found)
    worst = max(error(one, other) for one, other in zip(found, truth, strict=True))
    assert worst <= TOLERANCE[precision]


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("precision", TOLERANCE)
def test_triton_is_the_loop_in_float64(name, shape, precision):
    assert_same(name, *make(name, shape), precision)


@pytest.mark.parametrize("name", ["fixed", "adaptive"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("precision", TOLERANCE)
def test_with_resets_and_by_euler(name, options, precision):
    assert_same(name, *make(name, (21, 19, 64), **options), precision)


def test_the_scan_without_u_with_resets():
    assert_same("gated", *make("gated", (77, 5, 40), with_reset=True), "fp32")


@pytest.mark.parametrize("name", ["fixed", "adaptive"])
@pytest.mark.parametrize("batch", [1056, 2112, 4224])
def test_a_large_batch_takes_more_samples_a_program(name, batch):
    assert_same(name, *make(name, (3, batch, 128)), "tf32")


@pytest.mark.parametrize("name", ["fixed", "adaptive"])
def test_a_large_u_is_read_at_each_step(name):
    for precision in TOLERANCE:
        assert_same(name, *make(name, (4, 3, 600)), precision)


def test_sizes_of_states_and_gradients_do_not_matter():
    parts, options = make("fixed", (20, 9, 256))
    truth = run("fixed", parts, options, torch.float64)
    allow_tf32("tf32")
    assert triton_scan.plan(parts[0].float(), 9, 256, 1).PRECISION == "fp16"
    for scale in (1e-20, 1e20):
        leaves = [part.float().requires_grad_() for part in parts]
        h, _ = fixed_scan(*leaves, *options)
        weight = torch.randn(h.shape, generator=torch.Generator().manual_seed(1)).cuda()
        found = torch.autograd.grad(h, leaves, weight * scale)
        for one, other in zip(found, truth[2:], strict=True):
            assert error(one.double() / scale, other) <= TOLERANCE["tf32"]


def test_float64_and_empty_sequences_take_the_loop():
    parts, options = make("fixed", (3, 2, 5))
    truth = loops.fixed_forward(*parts, *options)
    assert torch.equal(fixed_scan(*parts, *options)[0], truth[0])
    for name in SCANS:
        parts, options = make(name, (0, 2, 5))
        found = run(name, parts, options, torch.float32)
        assert found[0].shape == (0, 2, 5)
        assert all((gradient == 0).all() for gradient in found[2:])


def test_not_a_number_stays_one():
    for units in (64, 256):
        parts, options = make("fixed", (6, 2, units))
        parts[0][2, 1, 3] = torch.nan
        h, _ = fixed_scan(*(part.float() for part in parts), *options)
        assert h[:, 0].isfinite().all()
        assert h[4:, 1].isnan().all()


@pytest.mark.parametrize("name", SCANS)
def test_opcheck(name):
    parts, options = make(name, (4, 3, 16))
    leaves = [part.float().requires_grad_() for part in parts]
    torch.library.opcheck(SCANS[name], (*leaves, *options))


@pytest.mark.parametrize("cell", [LiquidCell, AdaptiveTauCell, DiagonalCell])
def test_a_cell_gives_on_the_gpu_what_it_gives_on_the_cpu(cell):
    torch.manual_seed(0)
    here = cell(3, 64)
    x, h0, dt = torch.randn(50, 6, 3), torch.randn(6, 64), torch.rand(50, 6) * 0.1
    truth = here.double().scan(x.double(), h0.double(), dt.double()).detach()
    there = here.float().cuda()
    for precision, kind in (
        ("fp32", torch.float32),
        ("tf32", torch.float32),
        ("bf16", torch.bfloat16),
    ):
        allow_tf32(precision)
        found = there.to(kind).scan(x.cuda().to(kind), h0.cuda().to(kind), dt.cuda())
        assert found.dtype == kind
        assert error(found.detach().cpu(), truth) <= TOLERANCE[precision]
