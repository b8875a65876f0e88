"""The whole road on one page, without ROS: frames in, description out.

The nodes make the same calls, each in its own process; what they add is messages and diagnostics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquid_mono3d_ros.geometry.rig import Rig
from liquid_mono3d_ros.geometry.rotation import rotation_between
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings, Triangulator
from liquid_mono3d_ros.language.narrator import FactsFrame, Narrator, NarratorSettings
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.liquid.trajectory_filter import FilterSettings, TrackFilter
from liquid_mono3d_ros.records import Description, Frame, Points3D, Trajectories
from liquid_mono3d_ros.settings import Settings, group
from liquid_mono3d_ros.tracking.camera_tracker import CameraTracker, TrackingSettings


@dataclass(frozen=True)
class PipelineSettings(Settings):
    """The settings of every stage, in the order of the road."""

    tracking: TrackingSettings = group(TrackingSettings)
    geometry: GeometrySettings = group(GeometrySettings)
    filter: FilterSettings = group(FilterSettings)
    narrator: NarratorSettings = group(NarratorSettings)


class Pipeline:
    """Remembers what each stage remembers: backgrounds, tracks, trajectories, histories.

    Example:
        >>> from liquid_mono3d_ros.recording import SyntheticRecording
        >>> from liquid_mono3d_ros.synth.paths import Line
        >>> from liquid_mono3d_ros.synth.rigs import stereo_rig
        >>> film = SyntheticRecording(stereo_rig(), Line(), duration=2.4)
        >>> pipeline = Pipeline(film.rig)
        >>> results = [result for frame in film for result in pipeline.add(frame)]
        >>> trajectories, _ = results[-1]
        >>> trajectories.trajectories[0].xyz.round(1)  # m
        array([3. , 0.4, 1. ])
        >>> [words.text[:44] for _, descriptions in results for words in descriptions]
        ['Object 1 was seen for 1.07 s by two cameras.']
    """

    def __init__(self, rig: Rig, settings: PipelineSettings | None = None) -> None:
        self.rig = rig
        self.settings = settings or PipelineSettings()
        self.trackers = {name: CameraTracker(name, self.settings.tracking) for name in rig.cameras}
        self.triangulator = Triangulator(self.settings.geometry, rig)
        self.filter = TrackFilter(self.settings.filter)
        self.narrator = Narrator(self.settings.narrator, TemplateBackend())

    def add(self, frame: Frame) -> list[tuple[Trajectories, list[Description]]]:
        """Take a frame; return the tracks at each instant now due, and words on what changed."""
        tracks = self.trackers[frame.camera].update(frame)
        return [self._locate(points) for points in self.triangulator.add(tracks)]

    def reset(self) -> None:
        """Forget everything seen and begin a new epoch."""
        for tracker in self.trackers.values():
            tracker.reset()
        self.triangulator.reset()
        self.filter.reset()
        self.narrator.reset()

    def _locate(self, points: Points3D) -> tuple[Trajectories, list[Description]]:
        epoch, now = self.filter.epoch, self.filter.update(points).now
        if self.filter.epoch != epoch:
            self.narrator.reset()
        told = [self.narrator.follow(t, self._facts_frame())[1] for t in now.trajectories]
        return now, [words for words in told if words is not None]

    def _facts_frame(self) -> FactsFrame:
        """Facts are told in the world frame, turned z-up where the rig says what is up."""
        up, name = self.rig.up, self.rig.world_frame
        if up is None:
            return FactsFrame.world(name, z_up=False)
        return FactsFrame(rotation_between(up, np.array([0.0, 0.0, 1.0])), np.zeros(3), True, name)
