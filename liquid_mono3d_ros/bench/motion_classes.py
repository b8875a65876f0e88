"""Which of eight motions a track is: the liquid model, its twins, and fits with BIC. Needs torch.

Scored on simulated tracks that no model learnt from, where the class is observable; the others,
the open cell, stand beside it and have no bar.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from liquid_mono3d_ros.bench import motion_fits, motion_views
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.train.motion_tracks import CONDITIONS, NAMES, MotionTracks, draw_tracks

CONDITIONS_OF_THE_BENCH = dataclasses.replace(CONDITIONS, jitter=0.0)
"""Even stamps: the peer's grids are then worked out once for all tracks."""
SEED = 1_000_003
"""Of the tracks that are scored."""
PEER = "fit and BIC"


def measure(
    *,
    weights: str | Path = "",
    n: int = 3000,
    peer: bool = True,
    workers: int = 0,
    device: str = "cpu",
    recipe: Mapping[str, Any] | None = None,
    views: Mapping[str, int] | None = None,
) -> Report:
    """Score models and the classical peer.

    Args:
        weights: Folder of ``liquid-mono3d train motion``; none trains by ``recipe``.
        n: Tracks to score.
        peer: Whether to fit the families, too; 0.3 s of a core each.
        workers: Processes that draw and fit; 0 for as many as there are cores.
        device: Where to train, "cpu" or "cuda".
        recipe: Of the training, as in ``MotionRecipe``; None for the packaged one.
        views: ``tracks``, ``n``, ``steps`` and ``parameters`` of the comparison of views; empty
            leaves it out.
    """
    from liquid_mono3d_ros.train.motion_training import Batch, named

    workers = workers or os.cpu_count() or 1
    tracks = draw_tracks(n, SEED, conditions=CONDITIONS_OF_THE_BENCH)
    said: dict[str, list[tuple[Array, int]]] = {}
    for name, model in _models(weights, recipe, device, workers).items():
        parameters = model.num_parameters
        said.setdefault(name.rpartition("-")[0], []).append(
            (named(model.cpu(), Batch.of(tracks)), parameters)
        )
    table = [
        _row(kind, [each for each, _ in found], found[0][1], tracks)
        for kind, found in said.items()
    ]
    if peer:
        table.append(_row(PEER, [fit_all(tracks, workers)], 0, tracks))
    most = float(np.bincount(tracks.label[tracks.observable]).max() / tracks.observable.sum())
    table.append(
        {**dict.fromkeys(table[0]), "model": "majority", "observable_percent": 100 * most}
    )
    settings = {"tracks": 12_000, "n": 6000, "steps": 2500, "parameters": 30_000}
    seen = [] if views == {} else list(motion_views.rows(**(views or settings), device=device))
    return Report("motion_classes", [*table, *seen], _targets(table, seen))


def fit_all(tracks: MotionTracks, workers: int) -> Array:
    """Return what the peer names each track, (N,)."""
    names = list(NAMES.values())
    jobs = [
        (np.round(tracks.t[k][seen], 9), tracks.xyz[k][seen], tracks.R[k][seen])
        for k, seen in enumerate(tracks.seen)
    ]
    if workers <= 1:
        return np.array([names.index(motion_fits.name_motion(*job)) for job in jobs])
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_fit, jobs, chunksize=20))
    return np.array([names.index(name) for name in found])


def _fit(job: tuple[Array, Array, Array]) -> str:
    return motion_fits.name_motion(*job)


def _models(
    weights: str | Path, recipe: Mapping[str, Any] | None, device: str, workers: int
) -> dict[str, Any]:
    """Return the models of a folder, or train them; by kind and seed."""
    from liquid_mono3d_ros.train import motion_training

    if weights:
        files = sorted(Path(weights).glob("motion-*.safetensors"))
        return {f.stem.removeprefix("motion-"): motion_training.load_motion(f) for f in files}
    if recipe is None:
        text = share_path("config/recipes/motion.yaml").read_text(encoding="utf-8")
        recipe = yaml.safe_load(text)["training"]
    given = motion_training.recipe_of(recipe)
    learn = draw_tracks(given.tracks, 2 * given.seed, workers=workers)
    batch = motion_training.Batch.of(learn, device)
    return {
        f"{kind}-{seed}": motion_training.MotionTraining(given, kind, seed, batch, device).train(
            motion_views.silent
        )
        for kind in given.kinds
        for seed in range(given.seeds)
    }


def _row(name: str, said: list[Array], parameters: int, tracks: MotionTracks) -> dict[str, Any]:
    """Return the accuracy of a kind over its seeds, by cell, and its worst class."""
    shows = tracks.observable
    right = np.stack([each == tracks.label for each in said])  # (seeds, N)
    each = 100 * right[:, shows].mean(axis=1)
    classes = [
        100 * float(right[:, shows & (tracks.label == k)].mean()) for k in range(len(NAMES))
    ]
    n = int(shows.sum())
    share = each.mean() / 100
    return {
        "model": name,
        "parameters": parameters,
        "n": n,
        "observable_percent": float(each.mean()),
        "half_interval_points": 196 * float(np.sqrt(share * (1 - share) / n)),
        "each_seed": [float(f"{one:.4g}") for one in each],
        "open_percent": 100 * float(right[:, ~shows].mean()),
        **{f"{label}_percent": classes[k] for k, label in enumerate(NAMES.values())},
    }


def _targets(table: list[dict[str, Any]], seen: list[dict[str, Any]]) -> list[Target]:
    found = {row["model"]: row["observable_percent"] for row in table}
    targets = []
    if "liquid" in found:
        targets.append(Target("liquid_observable_percent", found["liquid"], 97.0, at_most=False))
    if "liquid" in found and PEER in found:
        ahead = found["liquid"] - found[PEER]
        targets.append(Target("liquid_over_fit_and_bic_points", ahead, 0.0, at_most=False))
    for row in seen:
        if row["input"] == "one view":
            bins = [value for key, value in row.items() if key.endswith("_deg_percent")]
            fall = float(np.mean(bins[1:])) - bins[0]
            targets.append(Target("one_view_falls_below_15_deg_points", fall, 5.0, at_most=False))
    return targets
