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
from liquid_mono3d_ros.train.measured_conditions import chosen_alike
from liquid_mono3d_ros.train.open_loop import OpenTraining, open_scores, record

CHECKPOINT, LOG, PICTURE = "checkpoint.pt", "log.csv", "log.png"
LOOPS = ("open", "noise", "closed")
"""What of the advice reaches the bank in training: nothing, what is said of noise, all of it."""
_OF_A_STAGE = ("loop", "arms")
ROUNDS = 4
"""How often flights are drawn to find some within ranges."""


def follow(
    path: str | Path | None, out: Path, *, device: str = "cpu", resume: bool = False
) -> None:
    """Train by a recipe; each stage writes weights, cards, a log and its picture into its folder.

    A stage goes on from the averaged weights of the one before. Started by torchrun, each process
    takes its share of every arm's seeds, with its own files.

    Args:
        path: YAML; None for the packaged one.
        out: Folder, made when missing.
        device: "cpu" or "cuda".
        resume: Go on from the last checkpoint in ``out``; stages that ended are not repeated.
    """
    path = Path(path or share_path("config/recipes/filter.yaml"))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    out = out if world == 1 else out / f"rank{rank}"
    settings = content.get("filter", {})
    flights, validation = draw(content["flights"])
    print(f"{len(flights.t)} flights to learn from, {len(validation.t)} to choose by")
    bank = torch_bank(device, FilterSettings.from_flat(settings))
    start = None
    for stage in content["stages"]:
        recipe, folder = _recipe(content, stage, rank, world), out / stage["loop"]
        start, before = folder / CHECKPOINT, start
        if resume and (folder / PICTURE).exists():
            continue
        training = _train(recipe, stage["loop"], bank, flights, device, before, start, resume)
        note = {
            "recipe": path.name,
            "recipe_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "flights_sha256": flights.digest(),
            "loop": stage["loop"],
            "filter": settings,
            "seed": recipe.seed,
            "steps": training.done,
        }
        _report(training, validation, note, folder)


def _train(
    recipe: Recipe,
    loop: str,
    bank: TorchBank,
    flights: Flights,
    device: str,
    before: Path | None,
    checkpoint: Path,
    resume: bool,
) -> Training:
    """Return one stage, trained; ``before`` is the checkpoint of the stage before."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    kind = OpenTraining if loop == "open" else Training
    training = kind(recipe, bank, flights, device)
    if resume and checkpoint.exists():
        training.restore(checkpoint)
    elif before is not None:
        training.begin_with(before)
    training.train(checkpoint.parent / LOG, checkpoint=checkpoint)
    return training


def _report(training: Training, validation: Flights, note: dict[str, Any], out: Path) -> None:
    """Print what every model is worth, and write them all."""
    bank, recipe, opened = training.bank, training.recipe, note["loop"] == "open"
    tape = record(bank, validation, training.device) if opened else None
    plain = scores(bank, [], validation)[0]
    print(f"{note['loop']}, bank alone: {_words(plain)}")
    for arm, group in zip(recipe.arms, training.trained(), strict=True):
        found = (
            scores(bank, [group], validation, tilts=recipe.tilts)
            if tape is None
            else open_scores(group, tape)
        )
        for k, row in enumerate(found):
            print(f"{arm.name}/{k}: {_words(row)}")
        write_models(out, arm, group, found, {**note, "arm": arm.name, "bank_alone": plain})
    draw_log(out / LOG, out / PICTURE)


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
    """Draw the flights to learn from, and others to choose by, equally many of each condition.

    Where ``alike`` names ranges, only flights within them: see ``measured_conditions``.
    """
    kinds = [_conditions(one) for one in content["conditions"]]
    parts: list[list[Flights]] = [[], []]
    for k, conditions in enumerate(kinds):
        for part, name in zip(parts, ("count", "validation"), strict=True):
            seed = 1000 * int(content["seed"]) + 10 * k + (name == "validation")
            part.append(_drawn(conditions, content[name] // len(kinds), seed, content))
    learn, choose = map(joined, parts)
    return learn, choose


def _drawn(conditions: Conditions, n: int, seed: int, content: dict[str, Any]) -> Flights:
    """Draw n flights and keep what can begin; of those within ranges, go on until there are n."""
    workers, ranges = os.cpu_count() or 1, content.get("alike", {})
    found: list[Flights] = []
    count = n
    for k in range(ROUNDS if ranges else 1):
        drawn = draw_flights_parallel(conditions, count, seed + 100_000 * k, workers)
        found.append(drawn.take(can_begin(drawn) & chosen_alike(drawn, ranges)))
        kept, missing = len(found[-1]), n - sum(map(len, found))
        if missing <= 0:
            break
        count = min(round(1.2 * missing * count / max(kept, 1)) + 1, 10 * n)
    flights = joined(found).take(slice(n))
    if ranges and len(flights) < n / 10:
        got, cure = f"{len(flights)} of {n} flights", "Widen them."
        raise ValueError(complain("alike", "ranges that the simulation meets", got, cure))
    return flights


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


def _recipe(content: dict[str, Any], stage: dict[str, Any], rank: int, world: int) -> Recipe:
    """Return how a stage trains: what it says itself, else what all stages share."""
    if stage["loop"] not in LOOPS:
        got, cure = repr(stage["loop"]), "See config/recipes/filter.yaml."
        raise ValueError(complain("loop", f"of {', '.join(LOOPS)}", got, cure))
    strict = tuple(FAMILIES.index(name) for name in STRICT)
    known = {field.name for field in dataclasses.fields(Recipe)} - {"arms", "tilts"}
    given = {**content["training"], **{k: v for k, v in stage.items() if k not in _OF_A_STAGE}}
    if unknown := given.keys() - known:
        got, cure = ", ".join(sorted(unknown)), "Check the spelling."
        raise ValueError(complain("training", f"of {sorted(known)}", got, cure))
    wanted = stage.get("arms")
    arms = tuple(
        Arm(
            one["name"],
            one["kind"],
            int(one["parameters"]),
            len(range(rank, int(one["seeds"]), world)),
            strict if one.get("strict") else (),
        )
        for one in content["arms"]
        if wanted is None or one["name"] in wanted
    )
    given["seed"] = int(given["seed"]) + 1000 * rank
    tilts = stage["loop"] == "noise"
    return Recipe(arms=tuple(arm for arm in arms if arm.seeds), tilts=tilts, **given)


def _words(row: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in row.items())
