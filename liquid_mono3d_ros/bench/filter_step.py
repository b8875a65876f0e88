"""What a step of the filter costs: by itself, with all a node pays for, and to import.

One thread, the contenders one after another in each round, each step timed by itself by both
clocks: CPU time says what it costs, wall time what one waits on a machine that others use too.
``filterpy`` must be there for the row of its IMM.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np

from liquid_mono3d_ros.bench.report import Report, Target
from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.advice import Adviser
from liquid_mono3d_ros.liquid.bank import birth
from liquid_mono3d_ros.liquid.design import FilterSettings, design_filter
from liquid_mono3d_ros.liquid.guidance import step
from liquid_mono3d_ros.liquid.measurement import Measurement
from liquid_mono3d_ros.liquid.motion import I3, transition
from liquid_mono3d_ros.liquid.rnn import native
from liquid_mono3d_ros.liquid.trajectory_filter import WEIGHTS, TrackFilter
from liquid_mono3d_ros.records import Kind, Points3D, Sighting, nanoseconds

TRACKS = (1, 64)
DT = 1 / 30
SIGMA = 0.03
"""Of the measurements, m."""
FRAMES = 128
"""Of the motion, played forth and back."""
SLICE = 0.02
"""For which each contender runs in each round, s; at least three steps."""
RUNNING = "liquid_mono3d_ros.liquid.trajectory_filter"


@dataclass
class Contender:
    """A filter of N tracks, and what its steps took.

    Attributes:
        work: "step": belief in, belief out; "update": records in, records out.
        name: Of the filter, and how it runs.
        tracks: N.
        run: Does one step.
        cpu: Of each step, ns.
        wall: Of each step, ns.
    """

    work: str
    name: str
    tracks: int
    run: Callable[[], Any]
    cpu: list[int] = field(default_factory=list)
    wall: list[int] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Return what it took."""
        row: dict[str, Any] = {"work": self.work, "filter": self.name, "tracks": self.tracks}
        for clock, times in (("cpu", self.cpu), ("wall", self.wall)):
            for rank in (50, 99):
                row[f"{clock}_p{rank}_us"] = float(np.percentile(times, rank)) / 1e3
        return row


def measure(runs: int = 40, imports: int = 7) -> Report:
    """Time the filters' steps, and the import of the running filter.

    Args:
        runs: Rounds of the race.
        imports: Fresh processes.
    """
    field = [one for n in TRACKS for one in _contenders(n)]
    race(field, runs)
    rows = [contender.row() for contender in field]
    found = {(row["work"], row["filter"], row["tracks"]): row["cpu_p50_us"] for row in rows}
    for row in rows:
        peer = found.get(("step", "filterpy IMM3", row["tracks"]))
        row["filterpy_imm3_ratio"] = None if peer is None else peer / row["cpu_p50_us"]
    imported = import_times(imports)
    return Report("filter_step", [*rows, *imported], _targets(found, imported))


def race(field: list[Contender], rounds: int) -> None:
    """Let the contenders run one after another, and note what each step took."""
    counts = []
    for contender in field:
        for _ in range(3):
            contender.run()
        start = time.perf_counter()
        contender.run()
        counts.append(max(3, round(SLICE / (time.perf_counter() - start))))
    empty = Contender("", "", 0, lambda: None)
    _time(empty, 1000)
    for _ in range(rounds):
        for contender, count in zip(field, counts, strict=True):
            _time(contender, count)
    for contender in field:  # less the clocks' own time
        contender.cpu = [t - int(median(empty.cpu)) for t in contender.cpu]
        contender.wall = [t - int(median(empty.wall)) for t in contender.wall]


def _time(contender: Contender, count: int) -> None:
    run, cpu, wall = contender.run, contender.cpu, contender.wall
    for _ in range(count):
        a, b = time.perf_counter_ns(), time.thread_time_ns()
        run()
        c, d = time.thread_time_ns(), time.perf_counter_ns()
        cpu.append(c - b)
        wall.append(d - a)


def _contenders(n: int) -> Iterator[Contender]:
    """Yield each filter of N tracks, at work on the same motion."""
    z = flight(n)
    with_kernel = native.library("bank") is not None
    if not with_kernel:
        print("The native kernel is not built: no rows for it.")
    for kind in ("imm", "liquid"):
        for use_native in (True, False) if with_kernel else (False,):
            name = f"{kind}, {'native' if use_native else 'numpy'}"
            yield Contender("step", name, n, core_step(kind, z, use_native=use_native))
            yield Contender("update", name, n, whole_update(kind, z, use_native=use_native))
    peer = peer_step(z)
    if peer is not None:
        yield Contender("step", "filterpy IMM3", n, peer)


def flight(n: int) -> Array:
    """Return measured positions of N objects that turn, there and back, (2 F, N, 3) m."""
    rng = np.random.default_rng(0)
    t = DT * np.arange(FRAMES)[:, None, None]
    way = np.sin(t * rng.uniform(0.5, 3.0, (n, 3)) + rng.uniform(0, 6, (n, 3)))
    way = np.concatenate((way, way[::-1])) + rng.normal(size=(n, 3))
    return way + rng.normal(size=way.shape) * SIGMA


def core_step(kind: str, z: Array, *, use_native: bool) -> Callable[[], Any]:
    """Return one step of the filter, belief in, belief out, with what it says of the tracks."""
    adviser = Adviser.load(WEIGHTS) if kind == "liquid" else None
    settings = FilterSettings(filter=kind, gravity=(0.0, 0.0, -9.81))
    design = design_filter(settings, adviser=adviser, use_native=use_native)
    R = np.tile(SIGMA**2 * I3, (z.shape[1], 1, 1))
    seen = [Measurement(each, np.zeros_like(R) + I3, R) for each in z]
    belief = birth(design.bank, z[0], R, design.speed_sigma, units=design.units)
    k = 0

    def run() -> None:
        nonlocal belief, k
        k = (k + 1) % len(seen)
        belief = step(design, belief, DT, seen[k]).belief

    return run


def whole_update(kind: str, z: Array, *, use_native: bool) -> Callable[[], Any]:
    """Return one update of the filter that a node runs, records in, records out."""
    track_filter = TrackFilter(FilterSettings(filter=kind))
    if not use_native:
        track_filter._design = replace(track_filter._design, kernel=None)
    n, k = z.shape[1], 0
    nan, R = np.full((n, 3), np.nan), np.tile(SIGMA**2 * I3, (n, 1, 1))
    seen = tuple(Sighting(c, 1, 0, np.zeros(2), measured=True) for c in "ab")
    points = Points3D(
        stamp=0,
        frame_id="world",
        epoch=0,
        track_id=np.arange(n, dtype=np.uint64),
        kind=np.full(n, int(Kind.POINT), dtype=np.uint8),
        xyz=z[0],
        covariance=R,
        systematic_covariance=0.1 * R,
        ray_origin=nan,
        ray_direction=nan,
        ray_covariance=np.full((n, 2, 2), np.nan),
        reprojection_error_px=np.zeros(n),
        parallax_rad=np.ones(n),
        sightings=(seen,) * n,
    )

    def run() -> None:
        nonlocal k
        k += 1
        track_filter.update(replace(points, stamp=nanoseconds(k * DT), xyz=z[k % len(z)]))

    return run


def peer_step(z: Array) -> Callable[[], Any] | None:
    """Return one step of filterpy's IMM of three models over the same nine numbers, for each."""
    if importlib.util.find_spec("filterpy") is None:
        print("filterpy is not installed: no rows for it.")
        return None
    kalman = importlib.import_module("filterpy.kalman")
    bank = design_filter(FilterSettings(), use_native=False).bank
    F, Q = transition(bank, DT)

    def estimator(start: Array) -> Any:
        filters = []
        for m in range(3):
            one = kalman.KalmanFilter(dim_x=9, dim_z=3)
            one.x[:3, 0], one.F, one.Q = start, F[m], Q[m]
            one.H, one.R, one.P = np.eye(3, 9), SIGMA**2 * I3, np.eye(9)
            filters.append(one)
        stay = np.full((3, 3), 0.01) + 0.97 * I3
        return kalman.IMMEstimator(filters, np.full(3, 1 / 3), stay)

    estimators, k = [estimator(start) for start in z[0]], 0

    def run() -> None:
        nonlocal k
        k = (k + 1) % len(z)
        for one, seen in zip(estimators, z[k], strict=True):
            one.predict()
            one.update(seen[:, None])

    return run


def import_times(processes: int) -> list[dict[str, Any]]:
    """Return what importing the running filter takes in fresh processes, and its largest parts."""
    program = (
        "import sys, time; a, b = time.perf_counter(), time.process_time(); import {}; "
        "print(time.process_time() - b, time.perf_counter() - a, 'torch' in sys.modules)"
    )
    rows = []
    for module in (RUNNING, "numpy"):
        answers = [_run("-c", program.format(module))[0].split() for _ in range(processes)]
        rows.append(
            {
                "import": module,
                "cpu_s": median(float(cpu) for cpu, _, _ in answers),
                "wall_s": median(float(wall) for _, wall, _ in answers),
                "torch": answers[0][2] == "True",
            }
        )
    parts = []
    for line in _run("-X", "importtime", "-c", f"import {RUNNING}")[1].splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        if own.strip().isdigit():
            parts.append((int(own), name.strip()))
    return [*rows, *({"module": name, "own_ms": own / 1e3} for own, name in sorted(parts)[:-9:-1])]


def _run(*arguments: str) -> tuple[str, str]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout, done.stderr


def _targets(
    found: dict[tuple[str, str, int], float], imported: list[dict[str, Any]]
) -> list[Target]:
    """Return the bars; a row that is missing gives none."""
    targets = [
        Target(f"step_{kind}_{how}_{n}_tracks_cpu_p50_us", found["step", f"{kind}, {how}", n], bar)
        for kind in ("liquid", "imm")
        for how, n, bar in (
            ("numpy", 1, 100.0),
            ("numpy", 64, 400.0),
            ("native", 1, 6.0),
            ("native", 64, 60.0),
        )
        if ("step", f"{kind}, {how}", n) in found
    ]
    peer = found.get(("step", "filterpy IMM3", 64))
    for kind in ("liquid", "imm"):
        ours = found.get(("step", f"{kind}, native", 64))
        if peer is not None and ours is not None:
            name = f"step_{kind}_native_64_tracks_filterpy_imm3_ratio"
            targets.append(Target(name, peer / ours, 100.0, at_most=False))
    running = imported[0]
    return [
        *targets,
        Target("import_cpu_s", running["cpu_s"], 0.15),
        Target("import_torch_modules", float(running["torch"]), 0.0),
    ]
