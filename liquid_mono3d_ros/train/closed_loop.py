"""Many filters over many flights at once: the bank, advised at every measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.flights import Flights
from liquid_mono3d_ros.train.advisers import (
    Adviser,
    Memory,
    invariants,
    move_output,
    read_answers,
    remember,
    scaled,
)
from liquid_mono3d_ros.train.differentiable_bank import (
    Belief,
    Measured,
    TorchBank,
    collapse,
    log_density,
)


@dataclass(frozen=True)
class Frames:
    """Flights as tensors, time first: N tracks, T frames; see ``synth.flights.Flights``."""

    t: Tensor  # (T, N)
    seen: Tensor  # (T, N)
    z: Tensor  # (T, N, 3)
    R: Tensor  # (T, N, 3, 3)
    G: Tensor  # (T, N, 3, 3), symmetric root of B
    xyz: Tensor  # (T, N, 3)
    velocity: Tensor  # (T, N, 3)
    gravity: Tensor  # (N, 3)

    @classmethod
    def of(cls, flights: Flights, device: str = "cpu") -> Frames:
        """Take flights to a device."""

        def take(name: str) -> Tensor:
            value = symmetric_root(flights.B) if name == "G" else getattr(flights, name)
            array = torch.as_tensor(value, device=device)
            array = array if name == "seen" else array.double()
            return array if name == "gravity" else array.transpose(0, 1).contiguous()

        return cls(*(take(field.name) for field in fields(cls)))

    def take(self, rows: Tensor) -> Frames:
        """Return the chosen tracks."""
        arrays = [getattr(self, field.name) for field in fields(self)]
        return Frames(
            *(a[rows] if a.ndim == 2 and a is self.gravity else a[:, rows] for a in arrays)
        )

    def at(self, k: int) -> Frame:
        """Return frame ``k``."""
        measured = Measured(self.z[k], self.R[k], self.G[k])
        return Frame(self.t[k] - self.t[max(k - 1, 0)], self.seen[k], measured, self.gravity)


@dataclass(frozen=True)
class Frame:
    """One frame of N tracks: time since the one before, what is seen, and gravity.

    What is measured where nothing was seen is finite, and not used.
    """

    dt: Tensor
    seen: Tensor
    measured: Measured
    gravity: Tensor


@dataclass(frozen=True)
class Running:
    """Everything that goes from frame to frame.

    Attributes:
        belief: Of the bank.
        memory: Of what the networks hear.
        hidden: Of each group of networks.
        log_scale: Of the output's covariance, (N, 2).
        tilt: Added to the logarithms of the models' probabilities in the output alone, (N, M).
        since: Time since the last measurement, (N,) s.
    """

    belief: Belief
    memory: Memory
    hidden: tuple[Tensor, ...]
    log_scale: Tensor
    tilt: Tensor
    since: Tensor

    def detach(self) -> Running:
        """Cut the gradient."""

        def cut(record: Belief | Memory) -> dict[str, Tensor]:
            return {f.name: getattr(record, f.name).detach() for f in fields(record)}

        return Running(
            Belief(**cut(self.belief)),
            Memory(**cut(self.memory)),
            tuple(h.detach() for h in self.hidden),
            self.log_scale.detach(),
            self.tilt.detach(),
            self.since.detach(),
        )


@dataclass(frozen=True)
class Output:
    """What comes out of one frame.

    Attributes:
        x: (N, 9): m, m/s, m/s².
        P: Its covariance, (N, 9, 9).
        log_density: Of the measurement before it was used, (N,); 0 where there was none.
    """

    x: Tensor
    P: Tensor
    log_density: Tensor


def symmetric_root(B: Array) -> Array:
    """Return the symmetric roots of covariances (..., 3, 3)."""
    variances, axes = np.linalg.eigh(B)
    root: Array = (axes * np.sqrt(np.maximum(variances, 0.0))[..., None, :]) @ axes.swapaxes(
        -1, -2
    )
    return root


def begin(bank: TorchBank, groups: Sequence[Adviser], frames: Frames) -> Running:
    """Begin every track at its first frame, which must be seen."""
    n = frames.t.shape[1]
    nothing = frames.z.new_zeros(n)
    memory = Memory(frames.z.new_zeros(n, 3), frames.z.new_zeros(n, 3), nothing, nothing)
    total = sum(group.models for group in groups)
    hidden = tuple(group.begin(n // total) for group in groups)
    log_scale, tilt = frames.z.new_zeros(n, 2), frames.z.new_zeros(n, bank.size)
    return Running(bank.birth(frames.at(0).measured), memory, hidden, log_scale, tilt, nothing)


def step(
    bank: TorchBank,
    groups: Sequence[Adviser],
    running: Running,
    frame: Frame,
    *,
    tilts: bool = False,
) -> tuple[Running, Output]:
    """Go on to the next frame.

    The tracks are shared out evenly among all models of all groups, in order. No groups: the bank
    alone.

    Args:
        bank: Tuned.
        groups: Of networks.
        running: As the frame before left it.
        frame: The next one.
        tilts: Whether the models are weighed anew in the output alone, as ``open_loop`` does it;
            otherwise in the bank itself.
    """
    dt, measured, s, gravity = frame.dt, frame.measured, frame.seen, frame.gravity
    memory, since = running.memory, running.since + dt
    predicted = bank.predict(running.belief, dt, gravity, memory.log_q)
    seen = bank.compare(predicted, measured)
    before, _ = collapse(predicted)
    heard = invariants(seen, measured, predicted.log_mu, before, gravity, since, memory)
    answers, hidden = _advise(groups, heard, running.hidden, since, s)
    advice = read_answers(answers * s[:, None])
    density = log_density(predicted, seen, measured.R, memory.log_r) * s
    delta, tilt = advice.delta, running.tilt
    if tilts:
        delta, tilt = torch.zeros_like(delta), torch.where(s[:, None], delta, tilt)
    corrected = bank.correct(
        predicted, seen, measured, log_r=advice.log_r, openness=advice.openness, delta=delta
    )
    belief = Belief(*_choose(s, corrected, predicted))
    last, usual = remember(seen, since, memory)
    told = Memory(last, usual, advice.log_q, advice.log_r)
    log_scale = torch.where(s[:, None], advice.log_scale, running.log_scale)
    x, P = collapse(replace(belief, log_mu=torch.log_softmax(belief.log_mu + tilt, dim=1)))
    offsets = belief.x - x[:, None]
    x, P = move_output(
        replace(advice, log_scale=log_scale),
        seen,
        before,
        gravity,
        since,
        memory.usual,
        offsets,
        x,
        P,
    )
    since = torch.where(s, torch.zeros_like(since), since)
    return (
        Running(belief, Memory(*_choose(s, told, memory)), hidden, log_scale, tilt, since),
        Output(x, P, density),
    )


def run(
    bank: TorchBank, groups: Sequence[Adviser], frames: Frames, *, tilts: bool = False
) -> Iterator[Output]:
    """Yield the outputs of all frames from the second on."""
    running = begin(bank, groups, frames)
    for k in range(1, len(frames.t)):
        running, output = step(bank, groups, running, frames.at(k), tilts=tilts)
        yield output


def _advise(
    groups: Sequence[Adviser], heard: Tensor, hidden: tuple[Tensor, ...], dt: Tensor, s: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return answers (N, 28) float64 and the groups' next states; none change where not ``s``."""
    total = sum(group.models for group in groups)
    if not total:
        return heard.new_zeros(len(heard), 28), ()
    per_model = heard.float().unflatten(0, (total, -1))
    dts, seens = dt.float().unflatten(0, (total, -1))[..., None], s.unflatten(0, (total, -1))
    answers, states, first = [], [], 0
    for group, h in zip(groups, hidden, strict=True):
        mine = slice(first, first + group.models)
        answer, new = group(per_model[mine], h, dts[mine])
        mask = seens[mine].reshape(*seens[mine].shape, *[1] * (h.ndim - 2))
        states.append(torch.where(mask, new, h))
        answers.append(answer)
        first += group.models
    return torch.cat(answers).flatten(0, 1).to(heard.dtype), tuple(states)


def _choose(s: Tensor, one: Belief | Memory, other: Belief | Memory) -> Iterator[Tensor]:
    """Yield the fields of ``one`` where ``s``, of ``other`` elsewhere."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        yield torch.where(s.reshape(-1, *[1] * (a.ndim - 1)), a, b)


__all__ = ["Frames", "Output", "Running", "begin", "run", "scaled", "step"]
