"""Simulated measurements with truth: flights of objects, seen by rigs, triangulated.

``draw_flights`` goes from random motions to pixels and from pixels, by the package's own
triangulation, to points with their white and their systematic covariance. It leaves out what the
whole road adds: 2D tracks (every detection is the object's), association, and the gates on
residuals and range. ``road.through_the_road`` goes the whole way with the same pixels.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.synth.conditions import VERSION, Conditions
from liquid_mono3d_ros.synth.flight_table import Flights, joined
from liquid_mono3d_ros.synth.recordings import CHUNK, measure, record

__all__ = [
    "VERSION",
    "Conditions",
    "Flights",
    "draw_flights",
    "draw_flights_parallel",
]


def draw_flights(conditions: Conditions, n: int, seed: int) -> Flights:
    """Return n tracks drawn from a seed; fewer of the same seed are the first of them."""
    return _cut([_draw_chunk(k, conditions, seed) for k in range(num_chunks(n))], n)


def draw_flights_parallel(conditions: Conditions, n: int, seed: int, workers: int) -> Flights:
    """Return what ``draw_flights`` returns, drawn by several processes.

    They start afresh, so a script that calls this keeps its own work under
    ``if __name__ == "__main__"``.
    """
    chunks = range(num_chunks(n))
    if workers < 1:
        cure = "Give the number of processes."
        raise ValueError(complain("workers", "at least 1", str(workers), cure))
    task = partial(_draw_chunk, conditions=conditions, seed=seed)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return _cut(list(pool.map(task, chunks, chunksize=4)), n)


def num_chunks(n: int) -> int:
    """Return how many chunks hold n tracks."""
    if n < 1:
        raise ValueError(complain("n", "at least 1", str(n), "Give the number of tracks."))
    return -(-n // CHUNK)


def _cut(chunks: list[Flights], n: int) -> Flights:
    return joined(chunks).take(slice(n))


def _draw_chunk(number: int, conditions: Conditions, seed: int) -> Flights:
    return measure(record(number, conditions, seed))
