"""Learning from irregular samples: liquid cells beside GRU, GRU-D and LSTM of equal size.

Needs torch. Every model hears the time since the last sample: the liquid ones as their time step,
the others as one more feature.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.bench.report import Report
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.rnn.liquid import Liquid
from liquid_mono3d_ros.liquid.rnn.wiring import AutoNCP
from liquid_mono3d_ros.synth.paths import PATHS

PARAMETERS = 5000
"""Of every model, as near as its width allows."""
KEPT = 0.5
"""Share of the samples that are not missing."""
STEPS, BATCH, RATE = 300, 64, 5e-3
"""Of the training; the learning rate falls to zero along a cosine."""

Task = Callable[[np.random.Generator, int], tuple[Array, Array, Array]]
"""Draws N sequences: inputs (N, T, I), time since the sample before (N, T) s, targets."""


class GRUD(nn.Module):
    """GRU whose state decays between samples at a learnt rate.

    Source: Che et al., Recurrent Neural Networks for Multivariate Time Series with Missing
    Values, 2018; the decay of the state, without that of the inputs.
    """

    def __init__(self, input_size: int, units: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, units)
        self.decay = nn.Linear(1, units)

    def forward(self, x: Tensor, dt: Tensor) -> Tensor:
        """Return the states, (B, T, H)."""
        h, states = x.new_zeros(len(x), self.cell.hidden_size), []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h * torch.exp(-functional.relu(self.decay(dt[:, t, None]))))
            states.append(h)
        return torch.stack(states, dim=1)


class Model(nn.Module):
    """One kind of recurrent layer and a linear read-out."""

    def __init__(self, kind: str, input_size: int, units: int, output_size: int) -> None:
        super().__init__()
        self.kind = kind
        if kind in ("gru", "lstm"):
            self.layer: nn.Module = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](
                input_size + 1, units, batch_first=True
            )
        elif kind == "gru-d":
            self.layer = GRUD(input_size + 1, units)
        elif kind == "wired":
            self.layer = Liquid(input_size, AutoNCP(units, input_size, max(1, units // 3)))
            units = max(1, units // 3)
        else:
            self.layer = Liquid(input_size, units, cell=kind)  # type: ignore[arg-type]
        self.read = nn.Linear(units, output_size)

    def forward(self, x: Tensor, dt: Tensor) -> Tensor:
        """Return the outputs, (B, T, O)."""
        if self.kind in ("gru", "lstm"):
            states = self.layer(torch.cat([x, dt[..., None]], dim=2))[0]
        elif self.kind == "gru-d":
            states = self.layer(torch.cat([x, dt[..., None]], dim=2), dt)
        else:
            states = self.layer(x, timespans=dt)[0]
        return self.read(states)  # type: ignore[no-any-return]


KINDS = ("fixed", "adaptive", "diagonal", "ltc", "cfc", "wired", "gru", "gru-d", "lstm")


def measure(*, seeds: int = 5, steps: int = STEPS, figure: str = "") -> Report:
    """Train every kind on every task from several seeds; scores are of sequences unseen.

    Args:
        seeds: Of weights and data.
        steps: Of the optimiser.
        figure: Folder for ``tau.png`` and ``circuit.png``; none are drawn when empty.
    """
    if figure:
        draw(figure)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [_row(name, kind, seeds, steps) for name in ("sine", "motions") for kind in KINDS]
    finally:
        torch.set_num_threads(threads)
    return Report("learning", rows)


def _row(name: str, kind: str, seeds: int, steps: int) -> dict[str, Any]:
    begun = time.process_time()
    task, classes = TASKS[name]
    scores, count = [], 0
    for seed in range(seeds):
        model, score = train(task, classes, kind, seed, steps)
        count = sum(p.numel() for p in model.parameters())
        scores.append(score)
    return {
        "task": name,
        "model": kind,
        "parameters": count,
        "score": "error over variance" if classes == 1 else "wrong percent",
        "mean": float(np.mean(scores)),
        "spread": float(np.std(scores, ddof=1)) if seeds > 1 else 0.0,
        "cpu_s_per_seed": (time.process_time() - begun) / seeds,
    }


def train(task: Task, classes: int, kind: str, seed: int, steps: int) -> tuple[Model, float]:
    """Return a trained model and its score on 1000 sequences it has not seen; less is better.

    Args:
        task: What is learnt.
        classes: 1 for the next value, else the number of classes.
        kind: One of ``KINDS``.
        seed: Of weights and data.
        steps: Of the optimiser.
    """
    torch.manual_seed(seed)
    x, dt, target = _tensors(task(np.random.default_rng(seed), 2000))
    model = _sized(kind, x.shape[2], classes)
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.95), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH,))
        loss = _loss(model(x[rows], dt[rows]), target[rows])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    x, dt, target = _tensors(task(np.random.default_rng(10_000 + seed), 1000))
    with torch.no_grad():
        out = model(x, dt)
    if classes == 1:
        return model, float(_loss(out, target) / target.var())
    return model, 100 * float((out[:, -1].argmax(dim=1) != target).float().mean())


def _loss(out: Tensor, target: Tensor) -> Tensor:
    if target.dtype == torch.int64:
        return functional.cross_entropy(out[:, -1], target)
    return functional.mse_loss(out[..., 0], target)


def _sized(kind: str, input_size: int, output_size: int) -> Model:
    """Return the model whose number of parameters is nearest to ``PARAMETERS``."""

    def away(units: int) -> int:
        model = Model(kind, input_size, units, output_size)
        return abs(sum(p.numel() for p in model.parameters()) - PARAMETERS)

    return Model(kind, input_size, min(range(8, 257, 2), key=away), output_size)


def _tensors(drawn: tuple[Array, Array, Array]) -> tuple[Tensor, Tensor, Tensor]:
    x, dt, target = drawn
    kind = torch.int64 if target.dtype.kind == "i" else torch.float32
    return torch.tensor(x).float(), torch.tensor(dt).float(), torch.tensor(target).to(kind)


def sine(rng: np.random.Generator, num: int) -> tuple[Array, Array, Array]:
    """Draw sines of 0.5 to 2 Hz whose phase wanders; the target is the value at the next sample.

    Inputs are the value and the time to the next sample.
    """
    t = _irregular(rng, num, total=90, rate=30.0)  # (N, T + 1)
    gaps = np.diff(t, axis=1)
    wander = np.cumsum(rng.normal(0, 1, gaps.shape) * np.sqrt(gaps) * 0.5, axis=1)
    phase = rng.uniform(0, 2 * np.pi, (num, 1)) + np.pad(wander, ((0, 0), (1, 0)))
    y = np.sin(2 * np.pi * rng.uniform(0.5, 2.0, (num, 1)) * t + phase)
    before = np.pad(gaps[:, :-1], ((0, 0), (1, 0)), constant_values=1 / 30)
    return np.stack([y[:, :-1], gaps], axis=2), before, y[:, 1:]


def motions(rng: np.random.Generator, num: int) -> tuple[Array, Array, Array]:
    """Draw one of our synthetic motions, turned, scaled and in another tempo, with 2 cm noise.

    Inputs are positions from the first sample on, m; the target is the kind of motion.
    """
    names = sorted(PATHS)
    label = rng.integers(0, len(names), num)
    t = _irregular(rng, num, total=60, rate=30.0)
    x = np.zeros((*t.shape, 3))
    for n in range(num):
        angle, tempo = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.4)
        xyz = PATHS[names[label[n]]].xyz(t[n] * tempo + rng.uniform(0, 1)) * rng.uniform(0.6, 1.6)
        c, s = np.cos(angle), np.sin(angle)
        turned = xyz @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        x[n] = turned - turned[0] + rng.normal(0, 0.02, xyz.shape)
    before = np.pad(np.diff(t, axis=1), ((0, 0), (1, 0)), constant_values=1 / 30)
    return x, before, label


TASKS: dict[str, tuple[Task, int]] = {"sine": (sine, 1), "motions": (motions, len(PATHS))}


def _irregular(rng: np.random.Generator, num: int, *, total: int, rate: float) -> Array:
    """Return times of the samples that are left, jittered by a third of the period, (N, T) s."""
    kept = round(total * KEPT)
    chosen = np.sort(rng.permuted(np.tile(np.arange(total), (num, 1)), axis=1)[:, :kept], axis=1)
    return np.asarray((chosen + rng.uniform(-1 / 3, 1 / 3, chosen.shape)) / rate)


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

    model, _ = train(sine, 1, "adaptive", 0, STEPS)
    x, dt, _ = _tensors(sine(np.random.default_rng(20_000), 1))
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
