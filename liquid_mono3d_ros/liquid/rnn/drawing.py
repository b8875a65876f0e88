"""A circuit → a picture of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.rnn.wiring import Wiring, layers

COLOURS = {
    "sensory": "#7f7f7f",
    "inter": "#1f77b4",
    "command": "#9467bd",
    "motor": "#ff7f0e",
    "excites": "#2ca02c",
    "inhibits": "#d62728",
}


def draw(wiring: Wiring) -> Any:
    """Draw a circuit, one column a layer, signals from left to right.

    A synapse within a layer is an arc; one from a neuron to itself is a ring round it.

    Returns:
        A matplotlib ``Figure``; ``.savefig("circuit.png")`` writes it.
    """
    from matplotlib.figure import Figure

    columns = [("sensory", np.arange(wiring.input_size)), *layers(wiring)]
    figure = Figure(figsize=(2.2 * len(columns) + 1, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    places = {kind: _place(column, len(neurons)) for column, (kind, neurons) in enumerate(columns)}
    neurons = np.empty((wiring.units, 2))
    for kind, members in columns[1:]:
        neurons[members] = places[kind]
    _synapses(axes, wiring.sensory_adjacency, places["sensory"], neurons)
    _synapses(axes, wiring.adjacency, neurons, neurons)
    for kind, members in columns:
        x, y = places[kind].T
        axes.scatter(x, y, s=90, color=COLOURS[kind], zorder=3)
        axes.text(x[0], 1.06, f"{kind} ({len(members)})", ha="center")
    for word in ("excites", "inhibits"):
        axes.plot([], [], color=COLOURS[word], label=word)
    axes.legend(loc="lower center", ncols=2, bbox_to_anchor=(0.5, -0.08), frameon=False)
    return figure


def _place(column: int, count: int) -> Array:
    heights = (np.arange(count) + 0.5) / count
    return np.column_stack([np.full(count, float(column)), 1 - heights])


def _synapses(axes: Any, adjacency: Array, sources: Array, targets: Array) -> None:
    for source, target in np.argwhere(adjacency):
        word = "excites" if adjacency[source, target] > 0 else "inhibits"
        start, end = sources[source], targets[target]
        if np.array_equal(start, end):
            axes.scatter(*start, s=190, facecolors="none", edgecolors=COLOURS[word], linewidths=1)
            continue
        bend = 0.35 if start[0] == end[0] else 0.0
        style = {
            "arrowstyle": "-|>",
            "color": COLOURS[word],
            "alpha": 0.5,
            "lw": 0.8,
            "connectionstyle": f"arc3,rad={bend}",
        }
        axes.annotate("", xy=end, xytext=start, arrowprops=style)
