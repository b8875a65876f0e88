"""A cell → ONNX: one step, or a whole sequence of any length, batch free in both.

Needs the packages onnx and onnxscript; onnxruntime runs what is written.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

OPSET = 18


class _Step(nn.Module):
    """The step with plain tensors in and out; dt is (B, 1)."""

    def __init__(self, rnn: Liquid) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor, hx: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return self.rnn.step(x, hx, dt)  # type: ignore[return-value]


class _MixedStep(_Step):
    def forward(  # type: ignore[override]
        self, x: Tensor, hx: Tensor, cx: Tensor, dt: Tensor
    ) -> tuple[Tensor, ...]:
        y, (h, c) = self.rnn.step(x, (hx, cx), dt)
        return y, h, c


def export_step(rnn: Liquid, path: str | Path) -> None:
    """Write one step: x (B, I), hx (B, H), dt (B, 1) s → y (B, O), hn (B, H).

    With mixed memory there is cx beside hx, and cn beside hn. The weights are inside the file.
    """
    _save(_step_model(rnn), path)


def export_sequence(rnn: Liquid, path: str | Path) -> None:
    """Write a sequence: hx (B, H), x (T, B, I), dt (T, B, 1) s → hn (B, H), y (T, B, O).

    The step is the body of one Scan node, so that T and B are free. Time comes first, as Scan
    wants it, whatever ``batch_first`` says; with mixed memory cx follows hx, and cn hn.
    """
    from onnx import TensorProto, checker, helper

    step = _step_model(rnn)
    names = [value.name for value in step.graph.input]
    inputs = {value.name: value for value in step.graph.input}
    outputs = {value.name: value for value in step.graph.output}
    states, following = names[1:-1], [name for name in outputs if name != "y"]
    body = helper.make_graph(
        list(step.graph.node),
        "step",
        [inputs[name] for name in (*states, "x", "dt")],
        [outputs[name] for name in (*following, "y")],
        list(step.graph.initializer),
    )
    node = helper.make_node(
        "Scan",
        [*states, "x_sequence", "dt_sequence"],
        [*(f"{name}_last" for name in following), "y_sequence"],
        num_scan_inputs=2,
        body=body,
    )

    def value(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    units, width = rnn.state_size, rnn.cell.input_size
    entry = [value(name, "B", units) for name in states]
    entry += [value("x_sequence", "T", "B", width), value("dt_sequence", "T", "B", 1)]
    leaving = [value(f"{name}_last", "B", units) for name in following]
    leaving += [value("y_sequence", "T", "B", rnn.output_size)]
    graph = helper.make_graph([node], "sequence", entry, leaving)
    model = helper.make_model(graph, opset_imports=list(step.opset_import))
    model.ir_version = step.ir_version
    model.functions.extend(step.functions)
    checker.check_model(model)
    _save(model, path)


def _save(model: Any, path: str | Path) -> None:
    Path(path).write_bytes(model.SerializeToString())


def _step_model(rnn: Liquid) -> Any:
    """Return the step as an ONNX model, float32."""
    mixed = rnn.memory is not None
    states = ["hx", "cx"] if mixed else ["hx"]
    example = [torch.zeros(2, rnn.cell.input_size)]
    example += [torch.zeros(2, rnn.state_size) for _ in states]
    example += [torch.full((2, 1), 0.1)]
    names = ["x", *states, "dt"]
    batch = torch.export.Dim("B", min=1)
    module = (_MixedStep if mixed else _Step)(rnn).eval()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        program = torch.onnx.export(
            module,
            tuple(example),
            input_names=names,
            output_names=["y", *(name.replace("x", "n") for name in states)],
            dynamic_shapes=[{0: batch} for _ in names],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto
