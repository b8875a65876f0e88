"""Who remembers every track and speaks when something changed: trajectories → facts, words."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.backend import Backend
from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.language.history import TrackHistory
from liquid_mono3d_ros.language.sight import TrackSight
from liquid_mono3d_ros.language.trigger import TriggerSettings, reason_to_speak
from liquid_mono3d_ros.records import Description, Facts, State, Trajectory, nanoseconds
from liquid_mono3d_ros.settings import Settings, group, setting


@dataclass(frozen=True)
class NarratorSettings(Settings):
    """What is said, and how often."""

    facts_period: float = setting(
        0.2, "shortest time between two facts of a track", unit="s", bounds=(0.0, 60.0)
    )
    facts: FactsSettings = group(FactsSettings)
    trigger: TriggerSettings = group(TriggerSettings)


@dataclass(frozen=True)
class FactsFrame:
    """Where facts are told: ``x_facts = R @ x_world + t``.

    Attributes:
        R_facts_world: (3, 3).
        t_facts_world: (3,) m.
        z_up: Whether z of the frame is known to point up.
        frame_id: Its name.
    """

    R_facts_world: Array
    t_facts_world: Array
    z_up: bool
    frame_id: str

    @classmethod
    def world(cls, frame_id: str, *, z_up: bool) -> FactsFrame:
        """Return the world frame itself."""
        return cls(np.eye(3), np.zeros(3), z_up, frame_id)


ENDED = 32
"""Tracks whose last facts are kept after their end."""


class Narrator:
    """Remembers the history of each track and what was last said of it.

    Args:
        settings: What is said, and how often.
        backend: What writes the words.
        sight: What the tracks look like; without it their appearance is unknown.

    Attributes:
        latest: The newest facts of each track, in the order of the tracks' first facts; those that
            ended come out when ``ENDED`` others have ended since.
    """

    def __init__(
        self, settings: NarratorSettings, backend: Backend, sight: TrackSight | None = None
    ) -> None:
        self.settings = settings
        self.backend = backend
        self.sight = sight
        self.reset()

    def reset(self) -> None:
        """Forget every track."""
        self.histories: dict[int, TrackHistory] = {}
        self.latest: OrderedDict[int, Facts] = OrderedDict()
        self._measured: dict[int, int] = {}
        self._spoken: dict[int, Facts] = {}
        if self.sight is not None:
            self.sight.reset()

    def facts_of(self, track_id: int | None = None) -> Facts | None:
        """Return the newest facts of a track; of the oldest that lives, if none is named."""
        if track_id is None:
            track_id = next((i for i in self.latest if i in self.histories), None)
        return None if track_id is None else self.latest.get(track_id)

    def follow(
        self, trajectory: Trajectory, frame: FactsFrame
    ) -> tuple[Facts | None, Description | None]:
        """Take the next state of a track; see ``observe``.

        Returns:
            Its facts when they are due, and words when there is a reason to speak.
        """
        facts, reason = self.observe(trajectory, frame)
        return facts, self.backend.describe(facts) if facts is not None and reason else None

    def observe(self, trajectory: Trajectory, frame: FactsFrame) -> tuple[Facts | None, str]:
        """Take the next state of a track.

        Args:
            trajectory: Tentative states are remembered and spoken of only once confirmed.
            frame: Where the facts of a new track are told.

        Returns:
            Its facts when they are due, and the reason to speak of them, if there is one. A state
            that is not newer than the track's last one brings neither.
        """
        track_id, ended = trajectory.track_id, trajectory.state == State.DELETED
        if track_id not in self.histories:
            self.histories[track_id] = self._new_history(frame)
        history = self.histories[track_id]
        if ended:
            self.histories.pop(track_id)
        elif history.newest is None or trajectory.stamp > history.newest.stamp:
            history.add(trajectory)
        else:
            return None, ""
        if trajectory.state == State.TENTATIVE or not self._is_due(trajectory, history):
            return None, ""
        facts = compute_facts(history, self.settings.facts)
        if self.sight is not None:
            facts = replace(facts, **vars(self.sight.appearance(track_id)))
        self.latest[track_id] = facts
        reason = self._reason_to_speak(facts, ended=ended)
        if ended:
            self._forget(track_id)
        return facts, reason

    def _is_due(self, trajectory: Trajectory, history: TrackHistory) -> bool:
        """Return whether a period has passed since the last facts, or the track has ended."""
        track_id, ended = trajectory.track_id, trajectory.state == State.DELETED
        last = self._measured.get(track_id)
        if ended:
            return last is not None and history.first is not None
        if last is not None and trajectory.stamp - last < nanoseconds(self.settings.facts_period):
            return False
        self._measured[track_id] = trajectory.stamp
        return history.first is not None

    def _reason_to_speak(self, facts: Facts, *, ended: bool) -> str:
        before = self._spoken.get(facts.track_id)
        reason = reason_to_speak(before, facts, self.settings.trigger, ended=ended)
        if reason:
            self._spoken[facts.track_id] = facts
        return reason

    def _forget(self, track_id: int) -> None:
        """Keep the last facts of a track that has ended, and nothing else."""
        self._measured.pop(track_id, None)
        self._spoken.pop(track_id, None)
        if self.sight is not None:
            self.sight.forget(track_id)
        ended = [i for i in self.latest if i not in self.histories]
        for i in ended[: max(len(ended) - ENDED, 0)]:
            del self.latest[i]

    def _new_history(self, frame: FactsFrame) -> TrackHistory:
        return TrackHistory(
            frame.R_facts_world,
            frame.t_facts_world,
            z_up=frame.z_up,
            frame_id=frame.frame_id,
            settings=self.settings.facts.history,
        )
