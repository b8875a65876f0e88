"""Networks of several kinds and sizes over the same bank, trained alike: which reads it best.

``liquid-mono3d train filter --recipe config/recipes/filter_twins.yaml`` makes them, five seeds of
each; ``--data`` names the folder. Each weighs the members of a bank that runs by itself and moves
the result. The recipe trains at 10 to 100 Hz: 8 and 120 Hz are rates that none of them has seen.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.filter_conditions import UNSEEN_RATES, drawn_flights
from liquid_mono3d_ros.bench.filter_scores import Errors, ratio
from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array, complain
from liquid_mono3d_ros.liquid.design import FilterSettings
from liquid_mono3d_ros.liquid.rnn.weights import read_weights
from liquid_mono3d_ros.synth.flight_table import Flights

COMPARED = ("centre", *UNSEEN_RATES, "noise 2")
PEER = "gru"
_NAME = re.compile(r"(?P<kind>[a-z]+)-(?P<size>\d+)k-(?P<seed>\d+)")

Models = Mapping[tuple[str, int], Sequence[Mapping[str, Array]]]
"""(Kind, thousands of parameters) → the weights of each seed."""
Scored = Mapping[tuple[str, int], Sequence[Errors]]


def measure(*, data: Sequence[str], tracks: int = 600, figure: str = "") -> Report:
    """Score every model under the conditions of ``COMPARED``.

    Args:
        data: Folder of the trained models.
        tracks: Of each condition.
        figure: Folder for a picture of the error over the parameters; none when empty.
    """
    from liquid_mono3d_ros.train.filter_recipe import torch_bank

    models, settings = read_models(Path(data[0]))
    bank = torch_bank("cpu", FilterSettings.from_flat(settings))
    rows: list[dict[str, Any]] = []
    targets = []
    for name in COMPARED:
        scored = _score(bank, models, drawn_flights(name, tracks))
        rows += _rows(name, scored)
        for (kind, size), ours in scored.items():
            if kind == "liquid" and (PEER, size) in scored:
                high = ratio(ours, scored[PEER, size])[2]
                slug = name.replace(" ", "_").lower()
                targets.append(Target(f"{slug}_liquid_over_gru_{size}k_upper_95", high, 1.01))
    if figure:
        _draw(Path(figure) / "filter_parameters.png", rows)
    return Report("filter_twins", rows, targets)


def read_models(folder: Path) -> tuple[Models, dict[str, Any]]:
    """Return the models of a folder by kind and size, and the settings of their bank."""
    found: dict[tuple[str, int], list[Mapping[str, Array]]] = defaultdict(list)
    settings: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.safetensors")):
        if named := _NAME.fullmatch(path.stem):
            arrays, notes = read_weights(path)
            found[named["kind"], int(named["size"])].append(arrays)
            settings = json.loads(notes["filter"])
    if not found:
        cure = "Train them: liquid-mono3d train filter --recipe config/recipes/filter_twins.yaml."
        raise ValueError(complain("--data", "a folder of models", str(folder), cure))
    return dict(sorted(found.items())), settings


def _score(bank: Any, models: Models, flights: Flights) -> Scored:
    """Return the errors of every seed of every kind and size, track by track."""
    from liquid_mono3d_ros.train.advisers import KINDS
    from liquid_mono3d_ros.train.filter_training import can_begin
    from liquid_mono3d_ros.train.open_loop import record

    flights = flights.take(np.flatnonzero(can_begin(flights)))
    tape = record(bank, flights, "cpu")
    scored = (flights.seen.cumsum(axis=1) >= 2)[:, 1:]
    return {
        key: [_errors(KINDS[key[0]].of([arrays]), tape, scored) for arrays in seeds]
        for key, seeds in models.items()
    }


def _errors(network: Any, tape: Any, scored: Array) -> Errors:
    import torch

    from liquid_mono3d_ros.train.open_loop import errors

    with torch.no_grad():
        place = errors([network], tape).place.numpy().swapaxes(0, 1)  # (N, K, 3)
    squared = (place.astype(float) ** 2).sum(axis=2)
    return Errors((squared * scored).sum(axis=1), scored.sum(axis=1))


def _rows(name: str, scored: Scored) -> list[dict[str, Any]]:
    rows = []
    for (kind, size), ours in scored.items():
        rmse = [1e3 * one.rmse for one in ours]
        row = {
            "condition": name,
            "network": kind,
            "thousand_parameters": size,
            "seeds": len(ours),
            "rmse_mm": float(np.mean(rmse)),
            "least_mm": min(rmse),
            "most_mm": max(rmse),
        }
        if (PEER, size) in scored and kind != PEER:
            middle, low, high = ratio(ours, scored[PEER, size])
            row |= {"of_gru_ratio": middle, "lower_95_ratio": low, "upper_95_ratio": high}
        rows.append(row)
    return rows


def _draw(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(COMPARED)), COMPARED, strict=True):
        mine = [row for row in rows if row["condition"] == name]
        for kind in dict.fromkeys(row["network"] for row in mine):
            of = [row for row in mine if row["network"] == kind]
            x, y = ([row[key] for row in of] for key in ("thousand_parameters", "rmse_mm"))
            spread = [[row["rmse_mm"] - row["least_mm"] for row in of]]
            spread.append([row["most_mm"] - row["rmse_mm"] for row in of])
            axes.errorbar(x, y, spread, marker="o", capsize=3, linewidth=1, label=kind)
        axes.set(title=name, xscale="log", xlabel="thousand parameters")
        axes.set_xticks([3, 10, 30], ["3", "10", "30"])
    figure.axes[0].set_ylabel("RMSE, mm; bars: all seeds")
    figure.axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=150)
