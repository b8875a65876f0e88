"""Which track is the primary one, and which slot each track has; no ROS in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.records import State, Trajectory

SHOWN = (State.CONFIRMED, State.COASTING)


class Primary:
    """Remembers the primary track and keeps it as long as it lives.

    Args:
        rule: ``oldest``, ``nearest`` (to the origin of the world frame), or a track_id.
    """

    def __init__(self, rule: str) -> None:
        if rule not in ("oldest", "nearest") and not rule.isdigit():
            wanted = "oldest, nearest or a track_id"
            raise ValueError(complain("primary", wanted, repr(rule), "Choose one of them."))
        self._rule = rule
        self._track_id: int | None = None

    def choose(self, trajectories: Iterable[Trajectory]) -> Trajectory | None:
        """Return the primary track's state, or None while there is none."""
        shown = {t.track_id: t for t in trajectories if t.state in SHOWN}
        if self._rule.isdigit():
            return shown.get(int(self._rule))
        if self._track_id not in shown:
            self._track_id = min(shown, key=lambda i: self._order(shown[i]), default=None)
        return None if self._track_id is None else shown[self._track_id]

    def reset(self) -> None:
        """Forget the choice."""
        self._track_id = None

    def _order(self, trajectory: Trajectory) -> float:
        if self._rule == "nearest":
            return float(np.linalg.norm(trajectory.xyz))
        return float(trajectory.track_id)


class Slots:
    """Remembers which track has which slot; a slot is free again only after DELETED."""

    def __init__(self, num_slots: int) -> None:
        self.holders: list[int | None] = [None] * num_slots

    def assign(self, trajectories: Iterable[Trajectory]) -> dict[int, Trajectory]:
        """Return slot → state of the track in it."""
        slots = {}
        for trajectory in trajectories:
            track_id = trajectory.track_id
            if trajectory.state == State.DELETED:
                if track_id in self.holders:
                    self.holders[self.holders.index(track_id)] = None
            elif trajectory.state in SHOWN:
                if track_id not in self.holders and None in self.holders:
                    self.holders[self.holders.index(None)] = track_id
                if track_id in self.holders:
                    slots[self.holders.index(track_id)] = trajectory
        return slots

    def reset(self) -> None:
        """Free every slot."""
        self.holders = [None] * len(self.holders)
