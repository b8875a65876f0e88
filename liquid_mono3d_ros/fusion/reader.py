"""The whole of it: video features and states of tracks → embedding → slots; kept in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.fusion.kinds import KINDS, make_fusion
from liquid_mono3d_ros.fusion.slots import Slot, SlotHeads
from liquid_mono3d_ros.fusion.streams import Streams
from liquid_mono3d_ros.fusion.trajectory_encoder import States, TrajectoryEncoder
from liquid_mono3d_ros.liquid.rnn.weights import read_weights, write_weights

SYSTEMS: dict[str, tuple[str, str]] = {
    "vision": ("liquid", "video"),
    "3d": ("liquid", "states"),
    **{kind: (kind, "") for kind in KINDS},
}
"""System → kind of its fusion, and the only stream it sees, if one is hidden from it."""


@dataclass(frozen=True)
class Moments:
    """What was seen of B tracks, as ``Streams`` but for the states, which are not encoded yet."""

    video: Tensor
    side: Tensor
    video_stamp: Tensor
    video_arrival: Tensor
    video_seen: Tensor
    states: States

    def take(self, rows: Tensor) -> Moments:
        """Return some of the tracks."""
        return Moments(
            self.video[rows],
            self.side[rows],
            self.video_stamp[rows],
            self.video_arrival[rows],
            self.video_seen[rows],
            self.states.take(rows),
        )


class FusedReader(nn.Module):
    """Encodes the states, fuses the streams, reads the slots. State is the caller's.

    Args:
        system: One of ``SYSTEMS``.
        embedding: D, the language model's hidden size.
        units: Of the fusion.
        slots: By name.
    """

    def __init__(self, system: str, embedding: int, units: int, slots: Mapping[str, Slot]) -> None:
        super().__init__()
        self.system = check_system(system)
        self.trajectory = TrajectoryEncoder()
        self.fusion = KINDS[SYSTEMS[system][0]](embedding, units)
        self.heads = SlotHeads(embedding, slots)

    @classmethod
    def of_size(
        cls, system: str, embedding: int, parameters: int, slots: Mapping[str, Slot]
    ) -> FusedReader:
        """Return one whose fusion has about so many parameters."""
        kind = SYSTEMS[check_system(system)][0]
        with torch.device("meta"):
            units = make_fusion(kind, embedding, parameters).units
        return cls(system, embedding, units, slots)

    def streams(self, moments: Moments) -> Streams:
        """Return both streams, the one that is hidden from this system unseen."""
        s, m = moments.states, moments
        times = (m.side, m.video_stamp, m.video_arrival, m.video_seen)
        states = self.trajectory(s)
        streams = Streams(m.video, *times, states, s.stamp, s.arrival, s.seen)
        only = SYSTEMS[self.system][1]
        return streams.only(only) if only else streams

    def forward(self, moments: Moments) -> Tensor:
        """Return the embeddings of tracks, (B, D)."""
        return self.fusion.embed(self.streams(moments))

    @property
    def num_parameters(self) -> int:
        """Numbers that training can move."""
        return sum(p.numel() for p in self.parameters())

    def design(self) -> dict[str, Any]:
        """Return what it takes to build it again."""
        return {
            "system": self.system,
            "embedding": self.fusion.embedding,
            "units": self.fusion.units,
            "slots": {name: asdict(slot) for name, slot in self.heads.slots.items()},
        }


def check_system(system: str) -> str:
    """Return the system.

    Raises:
        ValueError: If there is none of that name.
    """
    if system not in SYSTEMS:
        rule, cure = f"one of {', '.join(SYSTEMS)}", "Choose one of them."
        raise ValueError(complain("system", rule, repr(system), cure))
    return system


def save_reader(path: str | Path, reader: FusedReader, card: Mapping[str, Any]) -> None:
    """Write a reader with what it takes to build it again."""
    arrays = {k: v.detach().cpu().float().numpy() for k, v in reader.state_dict().items()}
    notes = {"design": json.dumps(reader.design()), "card": json.dumps(card)}
    write_weights(path, arrays, notes)


def load_reader(path: str | Path) -> FusedReader:
    """Return the reader of a file, ready to run."""
    arrays, notes = read_weights(path)
    if "design" not in notes or "slots" not in (design := json.loads(notes["design"])):
        rule, cure = "a file of `liquid-mono3d train fusion`", "Train one, or fetch the packaged."
        raise ValueError(complain("path", rule, str(path), cure))
    slots = {name: Slot(tuple(s["values"]), s["pair"]) for name, s in design.pop("slots").items()}
    reader = FusedReader(**design, slots=slots)
    reader.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return reader.eval().requires_grad_(False)
