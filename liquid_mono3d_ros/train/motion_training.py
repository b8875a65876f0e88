"""Train the models that name a track's motion: each kind from several seeds, on one set."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor
from torch.nn import functional

from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.fusion.trajectory_model import (
    TrajectoryModel,
    make_trajectory_model,
    num_features,
    track_features,
)
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.train.motion_tracks import MotionTracks, draw_tracks

SHORTEST, LONGEST, CLUTTER = 3, 15, 6
"""Points of a young track: at least, at most, and at most of clutter."""


@dataclass(frozen=True)
class MotionRecipe:
    """How the models are trained.

    Attributes:
        kinds: Of models.
        seeds: Models of each kind.
        parameters: Of each model, about.
        tracks: To learn from.
        batch: Tracks of a step.
        steps: Of the optimiser.
        seconds: Longest training of one model.
        learning_rate: At most; it rises for 5 % of the run and falls along a cosine.
        weight_decay: Of AdamW.
        clip: Longest gradient.
        missing: Most of the points that are left out of a track, a share drawn for each.
        persistence: Weight of telling young tracks from clutter.
        seed: Of tracks; the models' seeds follow it.
    """

    kinds: tuple[str, ...] = ("liquid", "gru", "transformer")
    seeds: int = 3
    parameters: int = 30_000
    tracks: int = 20_000
    batch: int = 128
    steps: int = 3000
    seconds: float = math.inf
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3
    clip: float = 1.0
    missing: float = 0.3
    persistence: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """Tracks as tensors: t (B, T) s, x (B, T, D), sigma (B, T), seen (B, T), label (B,)."""

    t: Tensor
    x: Tensor
    sigma: Tensor
    seen: Tensor
    label: Tensor

    @classmethod
    def of(cls, tracks: MotionTracks, device: str = "cpu") -> Batch:
        """Turn tracks into tensors."""
        arrays = (tracks.t, tracks.xyz, tracks.sigma)
        t, x, sigma = (torch.as_tensor(one, dtype=torch.float32, device=device) for one in arrays)
        seen, label = (torch.as_tensor(one, device=device) for one in (tracks.seen, tracks.label))
        return cls(t, x, sigma, seen, label)

    def take(self, rows: Tensor) -> Batch:
        """Return some of the tracks."""
        return Batch(*(value[rows] for value in vars(self).values()))

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, time steps and masks for a model."""
        return (
            track_features(self.t, self.x, self.sigma, self.seen),
            time_steps(self.t, self.seen),
            self.seen,
        )


def time_steps(t: Tensor, seen: Tensor) -> Tensor:
    """Return the time since the last seen step, s, (B, T); 0 at the first and where unseen."""
    stamp = torch.where(seen, t, -math.inf).cummax(dim=1).values
    before = functional.pad(stamp, (1, 0), value=-math.inf)[:, :-1]
    dt = torch.where(before.isfinite(), t - before, 0.0)
    return torch.where(seen, dt, 0.0)


class MotionTraining:
    """One model in training."""

    def __init__(
        self, recipe: MotionRecipe, kind: str, seed: int, tracks: Batch, device: str = "cpu"
    ) -> None:
        self.recipe, self.tracks, self.device = recipe, tracks, device
        torch.manual_seed(seed)
        size = num_features(tracks.x.shape[2])
        self.model = make_trajectory_model(kind, size, recipe.parameters).to(device)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), 0.0, betas=(0.9, 0.95), weight_decay=recipe.weight_decay
        )
        self.draw = torch.Generator(device).manual_seed(seed)
        self.done = 0

    def train(self, tell: Callable[[int, float, float], None]) -> TrajectoryModel:
        """Train to the end of the recipe; ``tell`` hears of step, seconds and loss."""
        begun, r = time.monotonic(), self.recipe
        while self.done < r.steps and (spent := time.monotonic() - begun) < r.seconds:
            part = max(self.done / r.steps, spent / r.seconds)
            rate = min(part / 0.05, 1.0) * 0.5 * (1 + math.cos(math.pi * part)) + 1e-3
            self.optimiser.param_groups[0]["lr"] = r.learning_rate * rate
            loss = self._improve()
            self.done += 1
            if self.done % 50 == 0 or self.done == 1:
                tell(self.done, time.monotonic() - begun, float(loss))
        return self.model.eval()

    def _improve(self) -> Tensor:
        rows = self._integers(len(self.tracks.t), self.recipe.batch)
        batch = self._spun(self._thinned(self.tracks.take(rows)))
        loss = functional.cross_entropy(self.model(*batch.inputs()).motion, batch.label)
        if self.recipe.persistence:
            young, real = young_tracks(batch, self.draw)
            logit = self.model(*young.inputs()).persistent
            loss = loss + self.recipe.persistence * functional.binary_cross_entropy_with_logits(
                logit, real
            )
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        return loss.detach()

    def _thinned(self, batch: Batch) -> Batch:
        """Leave out points."""
        share = self.recipe.missing * self._random(len(batch.t), 1)
        kept = batch.seen & (self._random(*batch.seen.shape) >= share)
        kept[:, 0] = batch.seen[:, 0]
        return dataclasses.replace(batch, seen=kept)

    def _spun(self, batch: Batch) -> Batch:
        """Turn tracks in space about the vertical, and mirror half of them."""
        if batch.x.shape[2] != 3:
            return batch
        angle = 2 * math.pi * self._random(len(batch.t), 1)
        flip = torch.where(self._random(len(batch.t), 1) < 0.5, -1.0, 1.0)
        x, y, z = batch.x.unbind(2)
        turned = [torch.cos(angle) * x - torch.sin(angle) * y]
        turned += [flip * (torch.sin(angle) * x + torch.cos(angle) * y), z]
        return dataclasses.replace(batch, x=torch.stack(turned, dim=2))

    def _random(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.draw, device=self.device)

    def _integers(self, below: int, n: int) -> Tensor:
        return torch.randint(below, (n,), generator=self.draw, device=self.device)


def young_tracks(batch: Batch, draw: torch.Generator) -> tuple[Batch, Tensor]:
    """Return tracks of 3 to 15 points and whether an object made them, (B,) as 0.0 or 1.0.

    Half are the first points of the batch's tracks. Half are clutter: 3 to 6 points that scatter
    about one place, one to ten times as widely as the noise; lifetimes overlap.
    """
    n, length = batch.seen.shape
    device = batch.x.device
    clutter = torch.rand(n, generator=draw, device=device) < 0.5
    most = torch.where(clutter, CLUTTER, LONGEST) - SHORTEST + 1
    lasts = SHORTEST + (torch.rand(n, generator=draw, device=device) * most).long()
    seen = torch.arange(length, device=device) < lasts[:, None]
    wide = 10 ** torch.rand(n, 1, generator=draw, device=device)
    scatter = torch.randn(batch.x.shape, generator=draw, device=device)
    away = batch.x[:, :1] + (wide * batch.sigma)[..., None] * scatter
    x = torch.where(clutter[:, None, None], away, batch.x)
    return dataclasses.replace(batch, x=x, seen=seen), (~clutter).float()


@torch.no_grad()
def named(model: TrajectoryModel, batch: Batch, size: int = 500) -> Array:
    """Return the motion that a model names for each track, (N,)."""
    device = str(next(model.parameters()).device)
    found = []
    for rows in torch.arange(len(batch.t)).split(size):
        part = Batch(*(value[rows].to(device) for value in vars(batch).values()))
        found.append(model(*part.inputs()).motion.argmax(dim=1).cpu())
    return np.asarray(torch.cat(found))


def follow(
    path: str | Path | None,
    out: Path,
    *,
    device: str = "cpu",
    seconds: float | None = None,
    workers: int = 1,
) -> dict[str, float]:
    """Train by a recipe; write weights, a log and scores on other tracks into ``out``.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        device: "cpu" or "cuda".
        seconds: Longest training of one model.
        workers: Processes that draw the tracks.
    """
    path = Path(path or share_path("config/recipes/motion.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    given = dict(content["training"])
    if seconds is not None:
        given["seconds"] = seconds
    recipe = recipe_of(given)
    out.mkdir(parents=True, exist_ok=True)
    learn = Batch.of(draw_tracks(recipe.tracks, 2 * recipe.seed, workers=workers), device)
    unseen = draw_tracks(int(content["validation"]), 2 * recipe.seed + 1, workers=workers)
    shows, label, held_out = unseen.observable, unseen.label, Batch.of(unseen)
    scores: dict[str, float] = {}
    with (out / "log.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "step", "seconds", "loss"])
        for kind in recipe.kinds:
            for seed in range(recipe.seeds):
                name = f"{kind}-{seed}"

                def tell(step: int, spent: float, loss: float, name: str = name) -> None:
                    writer.writerow([name, step, f"{spent:.1f}", f"{loss:.4f}"])
                    file.flush()

                training = MotionTraining(recipe, kind, seed, learn, device)
                model = training.train(tell)
                right = named(model, held_out) == label
                scores[f"{name}_percent"] = 100 * float(right[shows].mean())
                print(f"{name}: {scores[f'{name}_percent']:.2f} % right where observable")
                card = {
                    "recipe_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "seed": seed,
                    "steps": training.done,
                    "observable_percent": scores[f"{name}_percent"],
                }
                save_motion(out / f"motion-{name}.safetensors", kind, model, card)
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    return scores


def recipe_of(given: Mapping[str, Any]) -> MotionRecipe:
    """Return the recipe that a mapping gives; what it leaves out keeps its default."""
    known = {field.name for field in dataclasses.fields(MotionRecipe)}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return MotionRecipe(**made)


def save_motion(
    path: str | Path, kind: str, model: TrajectoryModel, card: Mapping[str, Any]
) -> None:
    """Write a model with what it takes to build it again."""
    arrays = {k: v.detach().cpu().float().numpy() for k, v in model.state_dict().items()}
    design = {"kind": kind, "input_size": model.input_size, "units": model.units}
    write_weights(path, arrays, {"design": json.dumps(design), "card": json.dumps(card)})


def load_motion(path: str | Path) -> TrajectoryModel:
    """Return the model of a file, ready to run."""
    from liquid_mono3d_ros.fusion.trajectory_model import MODELS

    arrays, notes = read_weights(path)
    design = json.loads(notes["design"])
    model = MODELS[design["kind"]](design["input_size"], design["units"])
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return model.eval().requires_grad_(False)
