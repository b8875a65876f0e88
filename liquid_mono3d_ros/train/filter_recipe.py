"""A recipe → trained weights with their card: draws flights, trains, chooses, writes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.liquid.advice import VERSION
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.rnn.weights import write_weights
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.synth.flight_table import joined
from liquid_mono3d_ros.synth.flights import Conditions, Flights, draw_flights_parallel
from liquid_mono3d_ros.synth.motions import FAMILIES, STRICT
from liquid_mono3d_ros.train.advisers import Adviser, LiquidAdviser
from liquid_mono3d_ros.train.differentiable_bank import TorchBank
from liquid_mono3d_ros.train.filter_training import Arm, Recipe, Training, can_begin, scores
from liquid_mono3d_ros.train.open_loop import OpenTraining, open_scores, record

CHECKPOINT = "checkpoint.pt"


def follow(
    path: str | Path | None, out: Path, *, device: str = "cpu", resume: bool = False
) -> None:
    """Train by a recipe; write weights, cards, a log and its picture into ``out``.

    Started by torchrun, each process takes its share of every arm's seeds, with its own files.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        device: "cpu" or "cuda".
        resume: Go on from the checkpoint in ``out``.
    """
    path = Path(path or share_path("config/recipes/filter.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    recipe = _recipe(content, rank, world)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    out = out if world == 1 else out / f"rank{rank}"
    out.mkdir(parents=True, exist_ok=True)
    settings = content.get("filter", {})
    flights, validation = draw(content["flights"])
    print(f"{len(flights.t)} flights to learn from, {len(validation.t)} to choose by")
    bank = torch_bank(device, FilterSettings.from_flat(settings))
    kind = OpenTraining if content["loop"] == "open" else Training
    training = kind(recipe, bank, flights, device)
    if resume:
        training.restore(out / CHECKPOINT)
    training.train(out / "log.csv")
    training.save(out / CHECKPOINT)
    groups = training.trained()
    tape = record(bank, validation, device) if content["loop"] == "open" else None
    plain = scores(bank, [], validation)[0]
    print(f"bank alone: {_words(plain)}")
    for arm, group in zip(recipe.arms, groups, strict=True):
        found = scores(bank, [group], validation) if tape is None else open_scores(group, tape)
        for k, row in enumerate(found):
            print(f"{arm.name}/{k}: {_words(row)}")
        note = {
            "recipe": path.name,
            "recipe_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "flights_sha256": flights.digest(),
            "loop": content["loop"],
            "filter": settings,
            "arm": arm.name,
            "seed": recipe.seed,
            "steps": training.done,
            "bank_alone": plain,
        }
        write_models(out, arm, group, found, note)
    draw_log(out / "log.csv", out / "log.png")


def torch_bank(device: str, settings: FilterSettings | None = None) -> TorchBank:
    """Return the tuned bank of the IMM for training."""
    settings = settings or FilterSettings()
    design = design_filter(settings, ("imm",))
    return TorchBank(
        design.bank,
        gate=design.gate[3],
        speed_sigma=design.speed_sigma,
        device=device,
    )


def draw(content: dict[str, Any]) -> tuple[Flights, Flights]:
    """Draw the flights to learn from, and others to choose by, equally many of each condition."""
    workers, kinds = os.cpu_count() or 1, [_conditions(one) for one in content["conditions"]]
    parts: list[list[Flights]] = [[], []]
    for k, conditions in enumerate(kinds):
        for part, name in zip(parts, ("count", "validation"), strict=True):
            seed = 1000 * int(content["seed"]) + 10 * k + (name == "validation")
            drawn = draw_flights_parallel(conditions, content[name] // len(kinds), seed, workers)
            part.append(drawn.take(np.flatnonzero(can_begin(drawn))))
    learn, choose = map(joined, parts)
    return learn, choose


def _conditions(given: dict[str, Any]) -> Conditions:
    ranged: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return Conditions(**ranged)


def write_models(
    out: Path, arm: Arm, group: Adviser, found: list[dict[str, Any]], note: dict[str, Any]
) -> None:
    """Write every model of an arm, and which is best; liquid ones as the filter reads them."""
    best = min(range(len(found)), key=lambda k: found[k]["rmse_m"])
    for k, row in enumerate(found):
        card = {**note, "model": k, "is_best": k == best, "kind": arm.kind, "scores": row}
        arrays = {
            name: np.ascontiguousarray(p[k].detach().cpu().float().numpy())
            for name, p in group.named_parameters()
        }
        notes = {
            "version": VERSION,
            "loop": note["loop"],
            "filter": json.dumps(note["filter"]),
            "kind": arm.kind,
            "card": json.dumps(card),
        }
        if isinstance(group, LiquidAdviser):
            bounds = {"tau_min": group.tau_min, "tau_max": group.tau_max}
            notes["design"] = json.dumps({"cell": "adaptive", "euler": False, **bounds})
        write_weights(out / f"{arm.name}-{k}.safetensors", arrays, notes)


def draw_log(log: Path, picture: Path) -> None:
    """Draw the loss of every model over the steps."""
    from matplotlib.figure import Figure

    table = np.genfromtxt(log, delimiter=",", names=True)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in (table.dtype.names or ())[3:]:
        axes.plot(table["step"], table[name], linewidth=0.7, label=name)
    axes.set(xlabel="step", ylabel="loss", title="Training of the filter's networks")
    axes.legend(fontsize=5, ncols=4)
    figure.savefig(picture, dpi=150)


def _recipe(content: dict[str, Any], rank: int, world: int) -> Recipe:
    strict = tuple(FAMILIES.index(name) for name in STRICT)
    known = {field.name for field in dataclasses.fields(Recipe)}
    if unknown := content["training"].keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    arms = tuple(
        Arm(
            one["name"],
            one["kind"],
            int(one["parameters"]),
            len(range(rank, int(one["seeds"]), world)),
            strict if one.get("strict") else (),
        )
        for one in content["arms"]
    )
    given = {**content["training"], "seed": int(content["training"]["seed"]) + 1000 * rank}
    return Recipe(arms=tuple(arm for arm in arms if arm.seeds), **given)


def _words(row: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in row.items())
