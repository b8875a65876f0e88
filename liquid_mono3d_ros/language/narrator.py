"""Who remembers every track and speaks when something changed: trajectories → facts, words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.backend import Backend
from liquid_mono3d_ros.language.facts import FactsSettings, compute_facts
from liquid_mono3d_ros.language.history import TrackHistory
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


class Narrator:
    """Remembers the history of each track and what was last said of it.

    Args:
        settings: What is said, and how often.
        backend: What writes the words.
    """

    def __init__(self, settings: NarratorSettings, backend: Backend) -> None:
        self.settings = settings
        self.backend = backend
        self.reset()

    def reset(self) -> None:
        """Forget every track."""
        self.histories: dict[int, TrackHistory] = {}
        self._measured: dict[int, int] = {}
        self._spoken: dict[int, Facts] = {}

    def follow(
        self, trajectory: Trajectory, frame: FactsFrame
    ) -> tuple[Facts | None, Description | None]:
        """Take the next state of a track.

        Args:
            trajectory: Tentative states are remembered and spoken of only once confirmed.
            frame: Where the facts of a new track are told.

        Returns:
            Its facts when they are due, and words when there is a reason to speak.

            A state that is not newer than the track's last one brings neither.
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
            return None, None
        if trajectory.state == State.TENTATIVE or not self._is_due(trajectory, history):
            return None, None
        facts = compute_facts(history, self.settings.facts)
        words = self._describe(facts, ended=ended)
        if ended:
            self._measured.pop(track_id, None)
            self._spoken.pop(track_id, None)
        return facts, words

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

    def _describe(self, facts: Facts, *, ended: bool) -> Description | None:
        before = self._spoken.get(facts.track_id)
        if not reason_to_speak(before, facts, self.settings.trigger, ended=ended):
            return None
        self._spoken[facts.track_id] = facts
        return self.backend.describe(facts)

    def _new_history(self, frame: FactsFrame) -> TrackHistory:
        return TrackHistory(
            frame.R_facts_world,
            frame.t_facts_world,
            z_up=frame.z_up,
            frame_id=frame.frame_id,
            settings=self.settings.facts.history,
        )
