"""Learning from irregular samples: liquid cells beside GRU, GRU-D and LSTM of equal size.

Needs torch. Every model hears the time since the last sample: the liquid ones as their time step,
the others as one more feature, in periods. All are trained alike, by one recipe that is nobody's
own. Less is better in every score.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.bench.learning_data import (
    RATE,
    SHIPS_VOWELS,
    TASKS,
    Sequences,
    sine,
    vowels_folder,
)
from liquid_mono3d_ros.bench.learning_scores import BASELINES, LIQUID, compare
from liquid_mono3d_ros.bench.report import Report
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid
from liquid_mono3d_ros.liquid.rnn.synapses import Synapses
from liquid_mono3d_ros.liquid.rnn.wiring import AutoNCP

PARAMETERS = 5000
"""Of every model, as near as its width allows; of a circuit the synapses that exist."""
MISSING = (0.3, 0.5, 0.7)
"""Shares of the samples."""
STEPS, BATCH, LEARNING_RATE = 250, 64, 5e-3
"""Of the training; the learning rate falls to zero along a cosine."""


class GRUD(nn.Module):
    """GRU whose state decays between samples at a learnt rate.

    Source: Che et al., Recurrent Neural Networks for Multivariate Time Series with Missing
    Values, 2018; the decay of the state, without that of the inputs: here all channels of a
    sample are missing together.
    """

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, units)
        self.decay = nn.Linear(1, units)

    def forward(self, x: Tensor, periods: Tensor) -> Tensor:
        """Return the states, (B, T, H)."""
        h, states = x.new_zeros(len(x), self.cell.hidden_size), []
        kept = torch.exp(-functional.relu(self.decay(periods[..., None])))  # (B, T, H)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h * kept[:, t])
            states.append(h)
        return torch.stack(states, dim=1)


class Model(nn.Module):
    """One kind of recurrent layer and a linear read-out."""

    def __init__(self, kind: str, input_size: int, units: int, output_size: int) -> None:
        super().__init__()
        self.kind, read_size = kind, units
        if kind in ("gru", "lstm"):
            self.layer: nn.Module = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](
                input_size + 1, units, batch_first=True
            )
        elif kind == "gru-d":
            self.layer = GRUD(input_size + 1, units)
        elif kind == "wired":
            read_size = max(1, units // 3)
            self.layer = Liquid(input_size, AutoNCP(units, input_size, read_size))
        elif kind == "cfc":
            self.layer = Liquid(input_size, units, cell="cfc", backbone_units=units)
        else:
            self.layer = Liquid(input_size, units, cell=kind)  # type: ignore[arg-type]
        self.read = nn.Linear(read_size, output_size)

    def forward(self, x: Tensor, dt: Tensor) -> Tensor:
        """Return the outputs, (B, T, O)."""
        if self.kind in LIQUID:
            return self.read(self.layer(x, timespans=dt)[0])  # type: ignore[no-any-return]
        periods = dt * RATE
        told = torch.cat([x, periods[..., None]], dim=2)
        states = self.layer(told, periods) if self.kind == "gru-d" else self.layer(told)[0]
        return self.read(states)  # type: ignore[no-any-return]

    @property
    def num_parameters(self) -> int:
        """Numbers that training can move."""
        masks = [
            mask
            for module in self.modules()
            if isinstance(module, Synapses)
            for mask in (module.W_mask, module.U_mask)
            if mask is not None
        ]
        absent = sum(int((mask == 0).sum()) for mask in masks)
        return sum(p.numel() for p in self.parameters()) - absent


def measure(
    *,
    seeds: int = 5,
    steps: int = STEPS,
    missing: Sequence[float] = MISSING,
    kinds: Sequence[str] = LIQUID + BASELINES,
    figure: str = "",
) -> Report:
    """Train every kind on every task from several seeds; scores are of sequences unseen.

    Args:
        seeds: Of weights, data and what is missing.
        steps: Of the optimiser.
        missing: Shares of the samples that are left out.
        kinds: Of ``LIQUID`` and ``BASELINES``.
        figure: Folder for ``tau.png`` and ``circuit.png``; none are drawn when empty.
    """
    if figure:
        draw(figure)
    names = list(TASKS)
    if vowels_folder() is None:
        print(f"None of {', '.join(SHIPS_VOWELS)} is installed: no rows for vowels.")
        names.remove("vowels")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [
            _row(name, kind, share, seeds, steps)
            for name in names
            for share in missing
            for kind in kinds
        ]
    finally:
        torch.set_num_threads(threads)
    return Report("learning", [*rows, *compare(rows)])


def _row(name: str, kind: str, missing: float, seeds: int, steps: int) -> dict[str, Any]:
    begun = time.process_time()
    trained = [train(name, kind, seed, steps, missing) for seed in range(seeds)]
    scores = [score for _, score in trained]
    return {
        "task": name,
        "missing_percent": round(100 * missing),
        "model": kind,
        "parameters": trained[0][0].num_parameters,
        "score": "error over variance" if TASKS[name].classes == 1 else "wrong percent",
        "mean": float(np.mean(scores)),
        "spread": float(np.std(scores, ddof=1)) if seeds > 1 else 0.0,
        "each_seed": [float(f"{score:.4g}") for score in scores],
        "cpu_s_per_seed": (time.process_time() - begun) / seeds,
    }


def train(
    name: str, kind: str, seed: int, steps: int, missing: float = 0.5
) -> tuple[Model, float]:
    """Return a trained model and its score on sequences it has not seen; less is better.

    Args:
        name: Of the task.
        kind: One of ``LIQUID`` and ``BASELINES``.
        seed: Of weights and data.
        steps: Of the optimiser.
        missing: Share of the samples that are left out.
    """
    classes, drawn = TASKS[name]
    given, unseen = (_tensors(part) for part in drawn(seed, missing))
    units = _units(kind, given[0].shape[2], classes)
    torch.manual_seed(seed)
    model = Model(kind, given[0].shape[2], units, classes)
    optimiser = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, betas=(0.9, 0.95), weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(given[0]), (BATCH,))
        x, dt, last, target = (part[chosen] for part in given)
        loss = _loss(model(x, dt), last, target)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    x, dt, last, target = unseen
    with torch.no_grad():
        out = model(x, dt)
    if classes == 1:
        return model, float(_loss(out, last, target) / target.var())
    return model, 100 * float((_at(out, last).argmax(dim=1) != target).float().mean())


def _loss(out: Tensor, last: Tensor, target: Tensor) -> Tensor:
    if target.dtype == torch.int64:
        return functional.cross_entropy(_at(out, last), target)
    return functional.mse_loss(out[..., 0], target)


def _at(out: Tensor, last: Tensor) -> Tensor:
    """Return the outputs at each sequence's last sample, (B, O)."""
    return out[torch.arange(len(out)), last]


@cache
def _units(kind: str, input_size: int, output_size: int) -> int:
    """Return the width at which the number of parameters is nearest to ``PARAMETERS``."""

    def count(units: int) -> int:
        return Model(kind, input_size, units, output_size).num_parameters

    above = bisect_left(range(1024), PARAMETERS, lo=9, key=count)
    return min((above - 1, above), key=lambda units: abs(count(units) - PARAMETERS))


def _tensors(given: Sequences) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    kind = torch.int64 if given.target.dtype.kind == "i" else torch.float32
    x, dt = torch.tensor(given.x).float(), torch.tensor(given.dt).float()
    return x, dt, torch.tensor(given.last), torch.tensor(given.target).to(kind)


def tau_over_time(model: Model, x: Tensor, dt: Tensor) -> Array:
    """Return the time constants of a trained adaptive cell along one sequence, (T, H) s.

    Args:
        model: Of kind ``adaptive``.
        x: (T, I).
        dt: (T,) s.
    """
    cell: Any = model.layer.cell
    h, taus = torch.zeros(1, cell.units), []
    with torch.no_grad():
        for value, step in zip(x, dt, strict=True):
            taus.append(cell.tau(value[None], h)[0])
            h = cell(value[None], h, step)
    return np.asarray(torch.stack(taus))


def draw(folder: str | Path) -> None:
    """Draw ``tau.png``, from a cell trained on ``sine``, and ``circuit.png`` into a folder."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from liquid_mono3d_ros.liquid.rnn import drawing

    model, _ = train("sine", "adaptive", 0, STEPS)
    x, dt, _, _ = _tensors(sine(np.random.default_rng(20_000), 1))
    taus, t = tau_over_time(model, x[0], dt[0]), dt[0].cumsum(dim=0).numpy()
    moving = np.argsort(np.log(taus).std(axis=0))[::-1][:8]
    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(t, x[0, :, 0], "o-", markersize=3, linewidth=0.7)
    above.set_ylabel("Input")
    below.semilogy(t, taus[:, moving])
    below.set_ylabel("Time constant, s")
    below.set_xlabel("Time, s")
    below.set_title("Of the 8 neurons in which it moves most", fontsize=9)
    figure.savefig(Path(folder, "tau.png"), dpi=110)
    circuit = drawing.draw(AutoNCP(19, 3, 3))
    circuit.savefig(Path(folder, "circuit.png"), dpi=110, bbox_inches="tight")
