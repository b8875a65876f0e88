import logging

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from liquid_mono3d_ros.liquid.rnn.export import export_sequence, export_step  # noqa: E402
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid  # noqa: E402

INPUTS, H = 3, 8


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)


def make(cell, mixed):
    torch.manual_seed(0)
    return Liquid(INPUTS, H, 4, batch_first=False, cell=cell, mixed_memory=mixed).eval()


def run(path, *arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def test_the_step_is_that_of_torch(tmp_path):
    """Also a short one: ONNX has no expm1, and 1 - exp(-dt / tau) would be wrong by a percent."""
    rnn = make("adaptive", False)
    export_step(rnn, tmp_path / "step.onnx")
    for batch in (1, 5):
        x, h = torch.randn(batch, INPUTS), torch.randn(batch, H)
        for dt in (1e-3, 0.033, 10.0):
            spans = torch.full((batch, 1), dt)
            with torch.no_grad():
                y, after = rnn.step(x, h, spans)
            found = run(tmp_path / "step.onnx", x.numpy(), h.numpy(), spans.numpy())
            np.testing.assert_allclose(found[0], y.numpy(), atol=1e-5)
            np.testing.assert_allclose(found[1], after.numpy(), atol=1e-5)
        start, short = torch.zeros(batch, H), torch.full((batch, 1), 1e-5)
        moved = run(tmp_path / "step.onnx", x.numpy(), start.numpy(), short.numpy())[1]
        with torch.no_grad():
            np.testing.assert_allclose(moved, rnn.cell(x, start, short).numpy(), rtol=1e-4)


@pytest.mark.parametrize(
    ("cell", "mixed"),
    [
        ("fixed", True),
        *(
            pytest.param(cell, False, marks=pytest.mark.slow)
            for cell in ("adaptive", "diagonal", "ltc", "cfc")
        ),
    ],
)
def test_the_sequence_is_that_of_torch(cell, mixed, tmp_path):
    rnn = make(cell, mixed)
    export_sequence(rnn, tmp_path / "sequence.onnx")
    for batch, steps in ((1, 64), (5, 3)):
        x = torch.randn(steps, batch, INPUTS)
        dt = 10 ** (torch.rand(steps, batch) * 4 - 3)  # 1 ms to 10 s
        with torch.no_grad():
            out, last = rnn(x, timespans=dt)
        start = [np.zeros((batch, H), np.float32)] * (2 if mixed else 1)
        *end, found = run(tmp_path / "sequence.onnx", *start, x.numpy(), dt[..., None].numpy())
        np.testing.assert_allclose(found, out.numpy(), atol=1e-5)
        np.testing.assert_allclose(end[0], (last[0] if mixed else last).numpy(), atol=1e-5)
