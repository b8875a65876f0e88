"""Recurrent cells of others and ours, each as one call that does the same work."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

INPUTS = 8
SECONDS = 1 / 30
"""Time between two steps, s."""


@dataclass(frozen=True)
class Entrant:
    """One contender of one race.

    Attributes:
        name: Of the cell, and how it runs.
        parameters: Numbers it learns.
        run: Does the work once.
        model: What is trained; None for a step.
    """

    name: str
    parameters: int
    run: Callable[[], Any]
    model: Any = None


def is_there(package: str) -> bool:
    """Whether a peer is installed; a sentence says what is missing."""
    found = importlib.util.find_spec(package) is not None
    if not found:
        print(f"{package} is not installed: no rows for it.")
    return found


def step_entrants(units: int, batch: int) -> Iterator[Entrant]:
    """Yield one running step of each cell, gradients off."""
    import torch
    from torch import nn

    from liquid_mono3d_ros.liquid.rnn import native
    from liquid_mono3d_ros.liquid.rnn.liquid import CELLS
    from liquid_mono3d_ros.liquid.rnn.running import RunningStep

    torch.manual_seed(0)
    x, h = torch.randn(batch, INPUTS), torch.zeros(batch, units)
    x_array, h_array = x.numpy(), h.numpy()
    for kind in ("fixed", "adaptive"):
        cell = CELLS[kind](INPUTS, units).requires_grad_(False)
        size = count(cell)
        for use_native in (True, False) if native.library() else (False,):
            step = RunningStep.from_torch(cell, use_native=use_native)
            name = f"{kind}, {'native' if use_native else 'numpy'}"
            yield Entrant(name, size, _call(step, x_array, h_array, SECONDS))
        yield Entrant(f"{kind}, torch", size, _call(cell, x, h, SECONDS))
    if is_there("onnxruntime") and is_there("onnxscript"):
        yield _onnx_step(units, x_array)
    gru = nn.GRUCell(INPUTS, units).requires_grad_(False)
    yield Entrant("nn.GRUCell", count(gru), _call(gru, x, h))
    if is_there("ncps"):
        from ncps.torch import CfCCell, LTCCell
        from ncps.wirings import FullyConnected

        cfc = CfCCell(INPUTS, units).requires_grad_(False)
        yield Entrant("ncps CfC", count(cfc), _call(cfc, x, h, SECONDS))
        ltc = LTCCell(FullyConnected(units), INPUTS).requires_grad_(False)
        yield Entrant("ncps LTC", count(ltc), _call(ltc, x, h, SECONDS))
    if is_there("torchdiffeq"):
        yield _solver_step(units, x, h)


def sequence_entrants(units: int, batch: int, steps: int) -> Iterator[Entrant]:
    """Yield one training pass of each layer: forward, and the gradients of all there is.

    Ours take a time step for each sample and give its gradient too; ncps takes none that is
    batched, and a GRU knows none. At equal parameters: as many as the GRU has at these units.
    """
    import torch
    from torch import nn

    from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

    torch.manual_seed(0)
    x = torch.randn(batch, steps, INPUTS, requires_grad=True)
    dt = (torch.rand(batch, steps) * 2 * SECONDS).requires_grad_()
    gru = nn.GRU(INPUTS, units, batch_first=True)
    for kind in ("fixed", "adaptive", "diagonal"):
        layer = Liquid(INPUTS, units, cell=kind)  # type: ignore[arg-type]
        yield _training(kind, layer, x, timespans=dt)
    for kind in ("fixed", "adaptive"):
        wide = max(range(units, 3 * units), key=lambda n: -abs(_size(kind, n) - count(gru)))
        layer = Liquid(INPUTS, wide, cell=kind)  # type: ignore[arg-type]
        yield _training(f"{kind}, {wide} units", layer, x, timespans=dt)
    yield _training("nn.GRU", gru, x)
    if is_there("ncps"):
        from ncps.torch import CfC

        yield _training("ncps CfC", CfC(INPUTS, units), x)


def slow_sequence_entrants(units: int, batch: int, steps: int) -> Iterator[Entrant]:
    """Yield training passes too slow for the race above: LTC, and a solver at every step."""
    import torch

    from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

    torch.manual_seed(0)
    x = torch.randn(batch, steps, INPUTS, requires_grad=True)
    for kind in ("fixed", "ltc", "cfc"):
        yield _training(kind, Liquid(INPUTS, units, cell=kind), x, timespans=SECONDS)
    if is_there("ncps"):
        from ncps.torch import LTC

        yield _training("ncps LTC", LTC(INPUTS, units), x)


def count(model: Any) -> int:
    """Count what a model learns."""
    return sum(p.numel() for p in model.parameters())


def saved_bytes(run: Callable[[], Any]) -> int:
    """Return how much a forward pass keeps for the backward pass, each storage once."""
    from torch.autograd.graph import saved_tensors_hooks

    storages: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        kept = run()
    del kept
    return sum(storages.values())


def _size(kind: str, units: int) -> int:
    gates = 2 if kind == "adaptive" else 1
    own = 0 if kind == "adaptive" else units
    return gates * units * (INPUTS + units + 1) + own


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _training(name: str, model: Any, x: Any, **named: Any) -> Entrant:
    leaves = [x, *model.parameters()]
    leaves += [value for value in named.values() if getattr(value, "requires_grad", False)]

    def run() -> None:
        for leaf in leaves:
            leaf.grad = None
        model(x, **named)[0].square().mean().backward()

    return Entrant(name, count(model), run, lambda: model(x, **named)[0])


def _onnx_step(units: int, x: Any) -> Entrant:
    import onnxruntime

    from liquid_mono3d_ros.liquid.rnn.export import export_step
    from liquid_mono3d_ros.liquid.rnn.liquid import Liquid

    rnn = Liquid(INPUTS, units, cell="fixed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with TemporaryDirectory() as folder:
        path = Path(folder, "step.onnx")
        export_step(rnn, path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {
        "x": x,
        "hx": np.zeros((len(x), units), np.float32),
        "dt": np.full((len(x), 1), SECONDS, np.float32),
    }
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    for name in ("y", "hn"):
        binding.bind_output(name)
    return Entrant("fixed, onnxruntime", count(rnn), lambda: session.run_with_iobinding(binding))


def _solver_step(units: int, x: Any, h: Any) -> Entrant:
    """The ODE of our fixed cell, by torchdiffeq's explicit midpoint: two evaluations."""
    import torch
    from torchdiffeq import odeint

    from liquid_mono3d_ros.liquid.rnn.cells import LiquidCell

    cell = LiquidCell(INPUTS, units).requires_grad_(False)
    span = torch.tensor([0.0, SECONDS])

    def field(t: Any, h: Any) -> Any:
        rate, target = cell.flow(x, h)
        return rate * (target - h)

    return Entrant(
        "torchdiffeq midpoint", count(cell), lambda: odeint(field, h, span, method="midpoint")[1]
    )
