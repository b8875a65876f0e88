"""The picture of the persistence benchmark: waits over false tracks, and answers over age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.bench.persistence_scores import AGES

Rows = Sequence[Mapping[str, Any]]
HIGHEST = 16
"""Longest mean wait that is shown, updates."""


def draw_picture(folder: str | Path, equal: Rows, ages: Rows) -> Path:
    """Write ``persistence.png``.

    Args:
        folder: Is made when it does not exist.
        equal: Rows at equal false-track rates.
        ages: Rows with the area under the curve by age.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    waits, areas = figure.subplots(1, 2)
    methods = list(dict.fromkeys(row["method"] for row in (*equal, *ages) if "method" in row))
    looks = {
        name: {"label": name, "color": f"C{k}", "linewidth": 2.5 if name == "judge" else 1.2}
        for k, name in enumerate(methods)
    }
    for name in dict.fromkeys(row["method"] for row in equal):
        own = [row for row in equal if row["method"] == name]
        rates = [row["false_tracks_percent"] for row in own]
        waits.semilogx(rates, [row["mean_frames"] for row in own], "o-", **looks[name])
    waits.set_xlabel("Clutter ever confirmed, %")
    waits.set_ylabel("Mean updates until an object is confirmed (never: 24)")
    waits.set_ylim(0, HIGHEST)
    waits.legend(fontsize=8)
    for row in (row for row in ages if "auc_after_1_to_15_updates" in row):
        areas.plot(AGES, row["auc_after_1_to_15_updates"], **looks[row["method"]])
    areas.set_xlabel("Updates since birth")
    areas.set_ylabel("Area under the curve of true over false alarms")
    areas.legend(fontsize=8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder, "persistence.png")
    figure.savefig(path, dpi=110)
    return path
