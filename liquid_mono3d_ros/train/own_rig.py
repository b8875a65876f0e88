"""The filter fitted to recordings of a user's own rig, and held to account on their last part.

Nobody knows the truth in a recording. What can be had from one: how often and how noisily things
are seen, how fast they are, and how well a filter foretells the next measurement. The bank is
tuned to foretell; the network is trained on simulated flights of that kind; both are judged by
what they foretell of measurements that nothing was fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.rig import load_rig
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.design import EXPERTS, FilterSettings, design_filter, gravity_in
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS
from liquid_mono3d_ros.resources import share_path
from liquid_mono3d_ros.train.bank_search import bank_numbers, tune_bank
from liquid_mono3d_ros.train.filter_recipe import follow
from liquid_mono3d_ros.train.measured_conditions import (
    MeasuredConditions,
    measure_conditions,
    predictive_loss,
)
from liquid_mono3d_ros.train.recorded_tracks import HELD, RecordedTracks, read_tracks

EVALUATIONS = 150
"""Settings that the search of the bank tries."""
RECIPE, PARAMETERS, BANK_ALONE = "recipe.yaml", "filter.yaml", "imm.yaml"
ARM = "own"
DRAWS = 2000
PLAIN, TUNED = "imm", "imm, yours"
OURS, THEIRS = "liquid, yours", "liquid, of the package"


def fit(
    data: Sequence[str],
    out: Path,
    *,
    rig: str = "",
    recipe: str | None = None,
    device: str = "cpu",
    resume: bool = False,
    evaluations: int = EVALUATIONS,
) -> bool:
    """Fit bank and network to recordings; say whether the weights were good enough to keep.

    ``out`` gets ``recipe.yaml`` (what was measured and tuned; it can be followed again by itself),
    what ``follow`` writes, and parameters of the node: ``filter.yaml`` for the network,
    ``imm.yaml`` for the bank alone.

    Args:
        data: MCAP files.
        out: Folder, made when missing.
        rig: Rig file, for recordings of 2D tracks alone.
        recipe: YAML of the training; None for the packaged one. Its conditions and its bank are
            replaced by what was measured, its stages cut to the first.
        device: "cpu" or "cuda".
        resume: Go on with the recipe and the checkpoint in ``out``.
        evaluations: Settings of the bank that are tried.
    """
    tracks = read_tracks(data, load_rig(rig) if rig else None)
    out.mkdir(parents=True, exist_ok=True)
    written = out / RECIPE
    if not (resume and written.is_file()):
        base = Path(recipe or share_path("config/recipes/filter.yaml"))
        content = yaml.safe_load(base.read_text(encoding="utf-8"))
        made = own_recipe(content, tracks, evaluations)
        written.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    follow(written, out, device=device, resume=resume)
    content = yaml.safe_load(written.read_text(encoding="utf-8"))
    weights = out / content["stages"][-1]["loop"] / f"{ARM}-0.safetensors"
    return _judge(tracks, weights, out)


def own_recipe(
    content: Mapping[str, Any], tracks: RecordedTracks, evaluations: int
) -> dict[str, Any]:
    """Return a recipe for what was measured in the first part of the recordings."""
    first = _grounded(replace(FilterSettings(), **Adviser.load(WEIGHTS).bank), tracks)
    tuned = tune_bank(tracks.fit, first, evaluations=evaluations)
    measured = measure_conditions(tracks.fit, design_filter(tuned, ("imm",)))
    print(f"measured in the first {1 - HELD:.0%} of the recordings:\n{measured.words()}")
    _warn(measured)
    arm = {**content["arms"][-1], "name": ARM, "seeds": 1, "strict": False}
    flights = {**content["flights"], "conditions": [measured.simulated()]}
    return {
        **content,
        "stages": [{k: v for k, v in content["stages"][0].items() if k != "arms"}],
        "filter": dict(bank_numbers(tuned)),
        "flights": {**flights, "alike": measured.alike()},
        "arms": [arm],
    }


def _warn(measured: MeasuredConditions) -> None:
    low, high = measured.noise
    if low > 1.2 or high < 0.8:
        print(
            f"The noise is {low:.2g} to {high:.2g} times what the points claim: change sigma_px "
            "of the cameras in the rig file by as much."
        )


def _grounded(settings: FilterSettings, tracks: RecordedTracks) -> FilterSettings:
    gravity = gravity_in(settings, tracks.frame_id)
    return replace(settings, gravity=tuple(gravity.tolist()))


def _judge(tracks: RecordedTracks, weights: Path, out: Path) -> bool:
    """Print what each filter foretells of the held part; drop weights that foretell less."""
    ours = Adviser.load(weights)
    losses = held_losses(tracks, ours)
    print(f"held out, the last {HELD:.0%} of each recording: nats a measurement, less is better")
    for name, loss in losses.items():
        low, high = interval(loss - losses[THEIRS])
        change = "" if name == THEIRS else f"  change {low:+.3f} to {high:+.3f} (95 %)"
        print(f"  {name:24s}{np.nanmean(loss):9.3f}{change}")
    means = {name: float(np.nanmean(loss)) for name, loss in losses.items()}
    if means[TUNED] < min(means[PLAIN], means[THEIRS]):
        numbers = {**ours.bank, "share": list(ours.bank["share"])}
        _write_parameters(out / BANK_ALONE, {"filter": "imm", **numbers})
    best_before = min((PLAIN, THEIRS), key=lambda name: means[name])
    if means[OURS] >= means[best_before]:
        weights.unlink()
        print(
            f"The weights foretell the held part no better than '{best_before}' "
            f"({means[OURS]:.3f} against {means[best_before]:.3f}): they were not kept. "
            "Record more, or train for longer."
        )
        return False
    parameters = {"filter": "liquid", "weights": str(weights.resolve())}
    _write_parameters(out / PARAMETERS, parameters)
    print(f"Weights: {weights}")
    return True


def _write_parameters(path: Path, parameters: Mapping[str, Any]) -> None:
    section = {"/**/liquid_filter": {"ros__parameters": dict(parameters)}}
    path.write_text(yaml.safe_dump(section, sort_keys=False), encoding="utf-8")
    print(f"To run '{parameters['filter']}' with what was found: params_file:={path}")


def held_losses(tracks: RecordedTracks, ours: Adviser) -> dict[str, Array]:
    """Return filter → minus the log density of each held measurement, (N, T)."""
    plain = _grounded(FilterSettings(), tracks)
    theirs = Adviser.load(WEIGHTS)
    designs = {
        PLAIN: design_filter(plain, EXPERTS["imm"]),
        TUNED: design_filter(replace(plain, **ours.bank), EXPERTS["imm"]),
        THEIRS: design_filter(plain, EXPERTS["liquid"], theirs),
        OURS: design_filter(plain, EXPERTS["liquid"], ours),
    }
    return {name: predictive_loss(design, tracks.held) for name, design in designs.items()}


def interval(change: Array) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (N, T), NaN left out; stretches drawn anew."""
    known = np.isfinite(change)
    sums, counts = np.where(known, change, 0.0).sum(axis=1), known.sum(axis=1)
    n = len(change)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    low, high = np.quantile((drawn @ sums) / np.maximum(drawn @ counts, 1), (0.025, 0.975))
    return float(low), float(high)
