"""Train networks that advise the filter bank: all kinds, sizes and seeds in one run.

Every model has its own tracks; one step of the optimiser moves them all. On a GPU the whole step,
backward pass included, is one CUDA graph.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flights import Flights
from liquid_mono3d_ros.train.advisers import KINDS, Adviser, units_for
from liquid_mono3d_ros.train.closed_loop import Frames, Output, begin, run, step
from liquid_mono3d_ros.train.differentiable_bank import (
    LOG_TWO_PI,
    TorchBank,
    inverse,
    squared_length,
)

KEPT = 1000
"""Steps between two checkpoints."""


@dataclass(frozen=True)
class Arm:
    """One kind of network, trained from several seeds.

    Attributes:
        name: Of the arm.
        kind: Key in ``advisers.KINDS``.
        parameters: Of each model, about.
        seeds: How many models.
        families: Numbers of the motions it may see; empty for all.
    """

    name: str
    kind: str
    parameters: int
    seeds: int
    families: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained.

    Attributes:
        arms: What is trained.
        tracks: Per model and step.
        window: Frames after which the gradient is cut.
        learning_rate: At most; it rises for 5 % of the run and falls along a cosine.
        weight_decay: Of AdamW.
        clip: Longest gradient of one model.
        average: Part of the averaged weights that each step keeps.
        known_gravity: Share of the tracks whose gravity is told.
        steps: Of the optimiser; the schedule follows the clock instead where ``seconds`` ends
            sooner.
        seconds: Longest training.
        seed: Of weights and batches.
        tilts: Whether the models are weighed anew in the output alone, and only what is said of
            noise reaches the bank.
    """

    arms: tuple[Arm, ...]
    tracks: int = 192
    window: int = 45
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    average: float = 0.995
    known_gravity: float = 0.5
    steps: int = 4000
    seconds: float = math.inf
    seed: int = 0
    tilts: bool = False


class Training:
    """Networks in training, and what it takes to go on after an interruption.

    Args:
        recipe: How.
        bank: Tuned.
        flights: To train on; every first frame must be seen.
        device: "cpu" or "cuda".
    """

    def __init__(self, recipe: Recipe, bank: TorchBank, flights: Flights, device: str) -> None:
        self.recipe, self.bank, self.device = recipe, bank, device
        draw = torch.Generator().manual_seed(recipe.seed)
        self.groups = [
            KINDS[arm.kind](units_for(arm.kind, arm.parameters), arm.seeds, draw).to(device)
            for arm in recipe.arms
        ]
        self.averaged = [[p.detach().clone() for p in group.parameters()] for group in self.groups]
        self.frames = Frames.of(flights, device)
        self.choices = [
            torch.as_tensor(np.flatnonzero(_allowed(flights, arm)), device=device)
            for arm in recipe.arms
        ]
        self.step = partial(step, tilts=recipe.tilts)
        self.rate = torch.zeros((), device=device)
        parameters = [p for group in self.groups for p in group.parameters()]
        self.optimiser = torch.optim.AdamW(
            parameters,
            lr=self.rate if device == "cuda" else 0.0,
            betas=(0.9, 0.95),
            weight_decay=recipe.weight_decay,
            capturable=device == "cuda",
        )
        self.batches = torch.Generator(device=device).manual_seed(recipe.seed)
        self.done = 0

    def train(
        self, log: Path, tell: Callable[[str], None] = print, checkpoint: Path | None = None
    ) -> None:
        """Train to the end of the recipe; a row of losses per fiftieth step goes into ``log``.

        What it takes to go on goes into ``checkpoint`` every ``KEPT`` steps and at the end.
        """
        drawn = self.batches.get_state()
        batch = self._draw()
        losses = self._captured(batch) if self.device == "cuda" else None
        self.batches.set_state(drawn)
        begun, total = time.monotonic(), 0.0
        with log.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            names = [f"{arm.name}/{k}" for arm in self.recipe.arms for k in range(arm.seeds)]
            writer.writerow(["step", "seconds", "learning_rate", *names])
            while self.done < self.recipe.steps and total < self.recipe.seconds:
                part = max(self.done / self.recipe.steps, total / self.recipe.seconds)
                self._set_rate(self.recipe.learning_rate * _schedule(part))
                if losses is None:
                    found = self._improve(self._draw())
                else:
                    _copy(batch, self._draw())
                    self.graph.replay()
                    found = losses
                self.done += 1
                if self.done % 50 == 0 or self.done == 1:
                    row = found.tolist()
                    total = time.monotonic() - begun
                    writer.writerow([self.done, f"{total:.1f}", f"{float(self.rate):.2e}", *row])
                    file.flush()
                    tell(f"{self.done:5d} {total:6.1f} s  " + " ".join(f"{x:.3f}" for x in row))
                if checkpoint and self.done % KEPT == 0:
                    self.save(checkpoint)
        if checkpoint:
            self.save(checkpoint)

    def _set_rate(self, rate: float) -> None:
        self.rate.fill_(rate)
        if self.device != "cuda":
            self.optimiser.param_groups[0]["lr"] = rate

    def _draw(self) -> Frames:
        """Return a batch: for each model its own tracks."""
        frames = self.frames.take(self._rows())
        told = torch.rand(len(frames.gravity), generator=self.batches, device=self.device)
        known = told < self.recipe.known_gravity
        return Frames(**{**vars(frames), "gravity": frames.gravity * known[:, None]})

    def _rows(self) -> Tensor:
        """Draw the tracks of every model, in order."""
        n, rows = self.recipe.tracks, []
        for arm, choice in zip(self.recipe.arms, self.choices, strict=True):
            picked = torch.randint(
                len(choice), (arm.seeds * n,), generator=self.batches, device=self.device
            )
            rows.append(choice[picked])
        return torch.cat(rows)

    def _captured(self, batch: Frames) -> Tensor:
        """Capture one step on ``batch`` as a graph; return where its losses will lie."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # at rate 0: no weight moves
                self._improve(batch)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            return self._improve(batch)

    def _improve(self, batch: Frames) -> Tensor:
        """Take one step of the optimiser; return the loss of each model."""
        models = sum(arm.seeds for arm in self.recipe.arms)
        self.optimiser.zero_grad(set_to_none=False)
        running = begin(self.bank, self.groups, batch)
        losses, last, k = [], len(batch.t), 1
        while k < last:
            outputs, frames = [], range(k, min(k + self.recipe.window, last))
            for j in frames:
                running, output = self.step(self.bank, self.groups, running, batch.at(j))
                outputs.append(output)
            errors = Errors.of(outputs, batch, slice(frames.start, frames.stop))
            loss = per_model_loss(errors, models)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            running, k = running.detach(), frames.stop
        self._move()
        return torch.stack(losses).mean(0)

    def _move(self) -> None:
        """Move the weights along their gradients, and their running means after them."""
        self._clip()
        self.optimiser.step()
        keep = self.recipe.average
        for group, averaged in zip(self.groups, self.averaged, strict=True):
            for p, mean in zip(group.parameters(), averaged, strict=True):
                mean.mul_(keep).add_(p.detach(), alpha=1 - keep)

    def _clip(self) -> None:
        """Shorten the gradient of each model by itself; one that is not finite is left out."""
        for group in self.groups:
            gradients = [p.grad for p in group.parameters() if p.grad is not None]
            squares = torch.stack([(g**2).flatten(1).sum(1) for g in gradients]).sum(0)
            norm = squares.sqrt()
            scale = torch.where(norm.isfinite(), (self.recipe.clip / norm).clamp(max=1.0), 0.0)
            for g in gradients:
                g.nan_to_num_(0.0, 0.0, 0.0).mul_(scale.reshape(-1, *[1] * (g.ndim - 1)))

    def trained(self) -> list[Adviser]:
        """Return the networks with the averaged weights."""
        with torch.no_grad():
            for group, averaged in zip(self.groups, self.averaged, strict=True):
                for p, mean in zip(group.parameters(), averaged, strict=True):
                    p.copy_(mean)
        return self.groups

    def begin_with(self, path: Path) -> None:
        """Begin with the averaged weights that ``save`` wrote, of the arms of the same name."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        names = [arm["name"] for arm in state["recipe"]["arms"]]
        with torch.no_grad():
            for arm, group, averaged in zip(
                self.recipe.arms, self.groups, self.averaged, strict=True
            ):
                kept = state["averaged"][names.index(arm.name)]
                for p, mean, value in zip(group.parameters(), averaged, kept, strict=True):
                    p.copy_(value)
                    mean.copy_(value)

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        state = {
            "groups": [group.state_dict() for group in self.groups],
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "batches": self.batches.get_state(),
            "done": self.done,
            "recipe": asdict(self.recipe),
        }
        torch.save(state, path)

    def restore(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        for group, kept in zip(self.groups, state["groups"], strict=True):
            group.load_state_dict(kept)
        self.averaged = state["averaged"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.batches.set_state(state["batches"].cpu())
        self.done = state["done"]


@dataclass(frozen=True)
class Errors:
    """How far K frames of N tracks are from the truth, and how far they say they are.

    Attributes:
        place: (K, N, 3) m.
        speed: (K, N, 3) m/s.
        P_place: Covariance of the position, (K, N, 3, 3).
        P_speed: Covariance of the velocity, (K, N, 3, 3).
        predicted: Log density of each measurement before it was used, (K, N); 0 without one.
    """

    place: Tensor
    speed: Tensor
    P_place: Tensor
    P_speed: Tensor
    predicted: Tensor

    @classmethod
    def of(cls, outputs: Sequence[Output], frames: Frames, window: slice) -> Errors:
        """Compare outputs with the truth of their frames."""
        x = torch.stack([output.x for output in outputs])  # (K, N, 9)
        P = torch.stack([output.P for output in outputs])
        return cls(
            x[..., :3] - frames.xyz[window],
            x[..., 3:6] - frames.velocity[window],
            P[..., :3, :3],
            P[..., 3:6, 3:6],
            torch.stack([output.log_density for output in outputs]),
        )


def per_model_loss(errors: Errors, models: int) -> Tensor:
    """Return the loss of each model, (S,): errors on a logarithmic scale, and likelihoods.

    Half of the error's weight goes to each track alike, half to the pooled error, which the noisy
    tracks decide.
    """

    def per_model(a: Tensor) -> Tensor:
        mean: Tensor = a.unflatten(-1, (models, -1)).mean(-1)
        return mean

    def log_error(e: Tensor, floor: float) -> Tensor:
        mse = (e**2).sum(-1).mean(0)  # (N,)
        return (per_model(torch.log(mse + floor**2)) + torch.log(per_model(mse))) / 4

    def surprise(e: Tensor, block: Tensor) -> Tensor:
        block_inverse, log_det = inverse(block)
        return per_model(((squared_length(block_inverse, e) + log_det) / 2).mean(0))

    return (
        log_error(errors.place, 1e-4)
        + 0.3 * log_error(errors.speed, 1e-3)
        + 0.1 * surprise(errors.place, errors.P_place)
        + 0.03 * surprise(errors.speed, errors.P_speed)
        - 0.05 * per_model(errors.predicted.mean(0))
    )


@torch.no_grad()
def scores(
    bank: TorchBank,
    groups: Sequence[Adviser],
    flights: Flights,
    *,
    known: bool = True,
    tilts: bool = False,
) -> list[dict[str, float]]:
    """Return the errors of each model on all the flights: RMSE in m and m/s, NLL, coverage.

    No groups: of the bank alone.
    """
    frames = Frames.of(flights, bank.share.device.type)
    if not known:
        frames = Frames(**{**vars(frames), "gravity": torch.zeros_like(frames.gravity)})
    models = sum(group.models for group in groups) or 1
    rows = torch.arange(len(flights.t), device=frames.t.device).repeat(models)
    frames = frames.take(rows)
    outputs = list(run(bank, groups, frames, tilts=tilts))
    return summary(Errors.of(outputs, frames, slice(1, None)), models)


def summary(errors: Errors, models: int) -> list[dict[str, float]]:
    """Return RMSE in m and m/s, mean NLL and 95 % coverage of each model."""
    block_inverse, log_det = inverse(errors.P_place.double())
    d2 = squared_length(block_inverse, errors.place.double())

    def each(a: Tensor) -> list[float]:
        return a.unflatten(1, (models, -1)).mean((0, 2)).tolist()  # type: ignore[no-any-return]

    columns = {
        "rmse_m": [math.sqrt(v) for v in each((errors.place**2).sum(-1))],
        "velocity_rmse": [math.sqrt(v) for v in each((errors.speed**2).sum(-1))],
        "nll": [v + 1.5 * LOG_TWO_PI for v in each((d2 + log_det) / 2)],
        "inside_95": each((d2 < 7.8147).double()),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def can_begin(flights: Flights) -> Array:
    """Say which flights begin with a true measurement, (N,) bool."""
    usable: Array = flights.seen[:, 0] & ~flights.outlier[:, 0]
    return usable


def _allowed(flights: Flights, arm: Arm) -> Array:
    usable = can_begin(flights)
    if arm.families:
        usable = usable & np.isin(flights.family, arm.families)
    return usable


def _schedule(part: float) -> float:
    """Return the learning rate over its most, after a part of the run, 0 to 1."""
    return min(part / 0.05, 1.0) * 0.5 * (1 + math.cos(math.pi * min(part, 1.0))) + 1e-4


def _copy(target: Any, source: Any) -> None:
    for name in vars(target):
        getattr(target, name).copy_(getattr(source, name))
