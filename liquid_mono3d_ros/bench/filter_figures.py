"""Pictures of the filter benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from liquid_mono3d_ros.bench.filter_estimates import Estimates, is_scored
from liquid_mono3d_ros.bench.filter_scores import errors
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flight_table import Flights
from liquid_mono3d_ros.synth.motions import FAMILIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
Shown = Mapping[str, Estimates]
"""Label → estimates of the same flights."""
WORST = 4
"""Tracks that are drawn."""


def draw_all(folder: str | Path, rows: Rows, shown: Shown, flights: Flights) -> list[Path]:
    """Write every picture that the rows and estimates have something for.

    Args:
        folder: Is made when it does not exist.
        rows: Of the report.
        shown: Estimates of ``flights``.
        flights: Of the centre.

    Returns:
        The files, named ``filter_*.png``.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Axes], bool]] = {
        "motions": lambda axes: by_motion(axes, shown, flights),
        "lag": lambda axes: over_lag(axes, rows),
        "parameters": lambda axes: over_parameters(axes, rows),
        "calibration": lambda axes: calibration(axes, shown, flights),
        "regret": lambda axes: regret(axes, shown, flights),
        "rotation": lambda axes: rotation(axes, rows),
    }
    written = []
    for name, drawing in drawings.items():
        path = Path(folder, f"filter_{name}.png")
        if _draw(path, drawing):
            written.append(path)
    path = Path(folder, "filter_worst.png")
    _draw_worst(path, shown, flights)
    return [*written, path]


def by_motion(axes: Axes, shown: Shown, flights: Flights) -> bool:
    """Draw the RMSE of each family as bars."""
    families = np.unique(flights.family)
    width = 0.8 / len(shown)
    for k, (label, estimates) in enumerate(shown.items()):
        found = errors(estimates, flights)
        own = [flights.family == family for family in families]
        rmse = [1e3 * np.sqrt(found.squared[m].sum() / found.num[m].sum()) for m in own]
        axes.bar(np.arange(len(families)) + k * width, rmse, width, label=label)
    axes.set_xticks(np.arange(len(families)) + 0.4, [FAMILIES[k] for k in families], rotation=20)
    axes.set_ylabel("RMSE, mm")
    return True


def over_lag(axes: Axes, rows: Rows) -> bool:
    """Draw the RMSE over the frames that the answer waits."""
    found = [row for row in rows if "rmse_by_lag_mm" in row]
    for row in found:
        axes.plot(row["rmse_by_lag_mm"], "o-", markersize=3, label=row["filter"])
    axes.set_xlabel("Lag, frames")
    axes.set_ylabel("RMSE, mm")
    axes.set_ylim(bottom=0)
    return bool(found)


def over_parameters(axes: Axes, rows: Rows) -> bool:
    """Draw the RMSE of the learned filters over their size, at the centre."""
    centre = [row for row in rows if row.get("condition") == "centre" and "rmse_mm" in row]
    told = [row for row in centre if row["gravity"] == "told"]
    learned = [row for row in told if row["parameters"]]
    kinds = dict.fromkeys((r["filter"].partition("-")[0], r["filter"].split()[1]) for r in learned)
    for kind, weights in kinds:
        own = [
            r for r in learned if r["filter"].startswith(kind) and r["filter"].endswith(weights)
        ]
        own = sorted(own, key=lambda row: row["parameters"])
        sizes = [row["parameters"] for row in own]
        axes.semilogx(sizes, [row["rmse_mm"] for row in own], "o-", label=f"{kind} {weights}")
    classical = [r for r in told if not r["parameters"] and not r["filter"].startswith("oracle")]
    if learned:
        bar = min(r["rmse_mm"] for r in classical if "smoother" not in r["filter"])
        axes.axhline(bar, linestyle="--", color="grey", label="best classical")
    axes.set_xlabel("Parameters")
    axes.set_ylabel("RMSE, mm")
    return bool(learned)


def calibration(axes: Axes, shown: Shown, flights: Flights) -> bool:
    """Draw how often the truth lies inside the ellipsoid of each probability."""
    levels = np.linspace(0.01, 0.999, 200)
    for label, estimates in shown.items():
        scored = is_scored(flights)
        away = (estimates.xyz - flights.xyz)[scored]
        P = estimates.covariance[scored][:, :3, :3]
        d2 = (np.linalg.solve(P, away[..., None])[..., 0] * away).sum(axis=1)
        inside = (d2 < stats.chi2.ppf(levels, 3)[:, None]).mean(axis=1)
        axes.plot(levels, inside, label=label)
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey")
    axes.set_xlabel("Probability of the ellipsoid")
    axes.set_ylabel("Share of the states inside")
    return True


def regret(axes: Axes, shown: Shown, flights: Flights) -> bool:
    """Draw what the mixtures lost against their best expert, and the bound."""
    found = False
    for label, estimates in shown.items():
        if estimates.regret is None:
            continue
        frames = np.arange(flights.t.shape[1])
        low, middle, high = np.quantile(estimates.regret.excess, (0.0, 0.5, 1.0), axis=0)
        axes.fill_between(frames, low, high, alpha=0.3, label=f"{label}: all tracks")
        axes.plot(frames, middle, label=f"{label}: median")
        bound = np.quantile(estimates.regret.bound, (0.0, 0.5), axis=0)
        axes.plot(frames, bound[1], "k--", label="bound, median")
        axes.plot(frames, bound[0], "k:", label="bound, least")
        axes.set_ylim(-2 * bound.max(), 1.5 * bound.max())  # below, the mixture wins by far
        found = True
    axes.set_xlabel("Frame")
    axes.set_ylabel("Loss over the best expert, nats")
    return found


def rotation(axes: Axes, rows: Rows) -> bool:
    """Draw how the RMSE changes when the world is turned and nobody tells of gravity."""
    found = [row for row in rows if "rmse_turned_over_unturned" in row]
    change = [100 * (row["rmse_turned_over_unturned"] - 1) for row in found]
    axes.bar([row["filter"] for row in found], change)
    axes.axhline(1, linestyle="--", color="grey")
    axes.axhline(-1, linestyle="--", color="grey")
    axes.set_ylabel("Change of the RMSE, %")
    return bool(found)


def _draw(path: Path, drawing: Callable[[Axes], bool]) -> bool:
    """Write one picture; none when the drawing finds nothing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    found = drawing(axes)
    if found:
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
        figure.savefig(path, dpi=110)
    return found


def worst_tracks(shown: Shown, flights: Flights) -> Array:
    """Return the rows with the largest RMSE of the filter shown last, in noise sigmas."""
    estimates = list(shown.values())[-1]
    found = errors(estimates, flights)
    variance = (np.trace(flights.R, axis1=2, axis2=3) * flights.seen).sum(axis=1)
    relative = found.squared / np.maximum(found.num, 1) / variance * flights.seen.sum(axis=1)
    return np.asarray(np.argsort(-relative)[:WORST])


def _draw_worst(path: Path, shown: Shown, flights: Flights) -> None:
    """Draw the worst tracks, seen along the direction in which they move least."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    rows = worst_tracks(shown, flights)
    for axes, row in zip(figure.subplots(2, 2).flat, rows.tolist(), strict=False):
        truth = flights.xyz[row]
        plane = np.linalg.svd(truth - truth.mean(axis=0), full_matrices=False)[2][:2].T  # (3, 2)
        seen, scored = flights.seen[row], is_scored(flights)[row]
        axes.plot(*(truth @ plane).T, "k", linewidth=1, label="truth")
        axes.plot(*(flights.z[row, seen] @ plane).T, ".", color="silver", label="measured")
        for label, estimates in shown.items():
            axes.plot(*(estimates.xyz[row, scored] @ plane).T, linewidth=1, label=label)
        centre, reach = truth @ plane, 1.5 * np.ptp(truth @ plane, axis=0).max() + 0.1
        middle = (centre.min(axis=0) + centre.max(axis=0)) / 2
        axes.set_xlim(middle[0] - reach / 2, middle[0] + reach / 2)
        axes.set_ylim(middle[1] - reach / 2, middle[1] + reach / 2)
        axes.set_aspect("equal")
        rate = 1 / np.median(np.diff(flights.t[row]))
        axes.set_title(f"{FAMILIES[flights.family[row]]}, {rate:.0f} Hz, m", fontsize=9)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
