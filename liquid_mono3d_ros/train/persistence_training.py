"""A recipe → the judge of tracks: draws births, filters them, trains a liquid cell, writes it.

The loss is the cross-entropy of every update of every track with what the track is: so the output
is a probability at any age, of the mixture of kinds that was drawn.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from liquid_mono3d_ros.bench.persistence_runs import Watched, judged, watch
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.persistence import SIGNS, Judge
from liquid_mono3d_ros.liquid.rnn.cells import AdaptiveTauCell
from liquid_mono3d_ros.liquid.rnn.running import RunningStep
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.births import KINDS, Births, draw_births
from liquid_mono3d_ros.train.filter_recipe import draw_log

TAU_MIN, TAU_MAX = 0.005, 5.0
"""Bounds of the time constants, s: below a frame at 120 Hz, above the longest track."""
FILE = "persistence.safetensors"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the judge is trained.

    Attributes:
        units: Of the cell.
        tracks: Per step.
        steps: Of the optimiser.
        learning_rate: At most; it rises for 50 steps and falls along a cosine.
        missed: Weight of an update without a measurement; one with counts 1.
        seeds: Trainings, of which the best on the validation births is kept.
        seed: Of weights and batches of the first.
        weight_decay: Of AdamW.
        clip: Longest gradient.
    """

    units: int = 24
    tracks: int = 512
    steps: int = 4000
    learning_rate: float = 1e-2
    missed: float = 0.3
    seeds: int = 3
    seed: int = 0
    weight_decay: float = 1e-4
    clip: float = 1.0


class Network(nn.Module):
    """The adaptive-τ cell with one answer, the log odds that a track lasts."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.cell = AdaptiveTauCell(len(SIGNS), units, tau_min=TAU_MIN, tau_max=TAU_MAX)
        self.head = nn.Linear(units, 1)

    def forward(self, heard: Tensor, dt: Tensor) -> Tensor:
        """Return the log odds (N, T) after every update; ``heard`` (N, T, 12), ``dt`` (N, T) s."""
        h0 = heard.new_zeros(len(heard), self.cell.units)
        states = self.cell.scan(heard.transpose(0, 1), h0, dt.T)  # (T, N, H)
        odds: Tensor = self.head(states)[..., 0].T
        return odds

    def judge(self, notes: dict[str, str]) -> Judge:
        """Return the same as it runs without torch."""
        head, bias = (p.detach().float().numpy() for p in (self.head.weight, self.head.bias))
        return Judge(RunningStep.from_torch(self.cell), head[0], float(bias[0]), notes)


def follow(path: str | Path | None, out: Path) -> None:
    """Train by a recipe; write the weights with their card, a log and its picture into ``out``.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
    """
    path = Path(path or share_path("config/recipes/persistence.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe, drawn = _recipe(content["training"]), content["births"]
    out.mkdir(parents=True, exist_ok=True)
    births = draw_births(drawn["count"], 1000 * drawn["seed"])
    others = draw_births(drawn["validation"], 1000 * drawn["seed"] + 1)
    print(f"to learn from: {histogram(births)}\nto choose by: {histogram(others)}")
    learn, choose = watch(births), watch(others)
    networks = [
        train(learn, recipe, recipe.seed + k, out / "log.csv") for k in range(recipe.seeds)
    ]
    found = [scores(network.judge({}), choose) for network in networks]
    for k, row in enumerate(found):
        print(f"seed {recipe.seed + k}: " + "  ".join(f"{n} {v:.4f}" for n, v in row.items()))
    best = min(range(len(found)), key=lambda k: found[k]["cross_entropy"])
    card = {
        "recipe": path.name,
        "recipe_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "births_sha256": births.digest(),
        "births": histogram(births),
        "validation": histogram(others),
        "seed": recipe.seed + best,
        "scores": found[best],
        "scores_of_all_seeds": found,
    }
    networks[best].judge({"card": json.dumps(card)}).save(out / FILE)
    draw_log(out / "log.csv", out / "log.png")


def train(
    watched: Watched,
    recipe: Recipe,
    seed: int,
    log: Path | None = None,
    tell: Callable[[str], None] = print,
) -> Network:
    """Train one network from a seed; the log is written anew."""
    torch.manual_seed(seed)
    network = Network(recipe.units)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=0.0, betas=(0.9, 0.95), weight_decay=recipe.weight_decay
    )
    weight = np.where(watched.seen, 1.0, recipe.missed)
    data = [watched.heard, watched.dt, watched.lasting, weight]
    heard, dt, lasting, weights = (torch.as_tensor(a.astype(np.float32)) for a in data)
    batches, begun, rows = torch.Generator().manual_seed(seed), time.monotonic(), []
    for k in range(recipe.steps):
        rising, part = min(1.0, (k + 1) / 50), k / recipe.steps
        rate = recipe.learning_rate * rising * 0.5 * (1 + float(np.cos(np.pi * part)))
        optimiser.param_groups[0]["lr"] = rate
        chosen = torch.randint(len(heard), (recipe.tracks,), generator=batches)
        odds = network(heard[chosen], dt[chosen])
        truth = lasting[chosen, None].expand_as(odds)
        each = functional.binary_cross_entropy_with_logits(odds, truth, reduction="none")
        loss = (each * weights[chosen]).sum() / weights[chosen].sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimiser.step()
        if (k + 1) % 100 == 0:
            rows.append([k + 1, f"{time.monotonic() - begun:.1f}", f"{rate:.2e}", loss.item()])
        if (k + 1) % 500 == 0:
            tell(f"seed {seed} {k + 1:5d} {rows[-1][1]:>6} s  {rows[-1][-1]:.4f}")
    if log is not None:
        with log.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["step", "seconds", "learning_rate", f"{seed}"], *rows])
    return network


def scores(judge: Judge, watched: Watched) -> dict[str, float]:
    """Return the mean cross-entropy of updates with a measurement, nats, and Brier's score."""
    said, truth = judged(judge, watched)[watched.seen], _truth(watched)[watched.seen]
    right = np.clip(np.where(truth, said, 1 - said), 1e-12, 1.0)
    return {
        "cross_entropy": -float(np.log(right).mean()),
        "brier": float(((said - truth) ** 2).mean()),
        "right_share": float(((said > 0.5) == truth).mean()),
        "majority_share": float(max(truth.mean(), 1 - truth.mean())),
    }


def histogram(births: Births) -> str:
    """Say how many of each kind there are, and how often the commoner answer is right."""
    counts = np.bincount(births.kind, minlength=len(KINDS))
    kinds = ", ".join(f"{name} {n}" for name, n in zip(KINDS, counts.tolist(), strict=True))
    share = max(births.lasting.mean(), 1 - births.lasting.mean())
    return f"{kinds}; always the commoner answer: {100 * share:.1f} % right"


def _truth(watched: Watched) -> Array:
    return np.broadcast_to(watched.lasting[:, None], watched.seen.shape)


def _recipe(given: dict[str, Any]) -> Recipe:
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    return Recipe(**given)
