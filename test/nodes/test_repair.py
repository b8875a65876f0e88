"""The memory, the words and the refusals of a repair; the node is tried in test/ros."""

import math
from dataclasses import replace

import numpy as np
import pytest
from knocked_rigs import knocked, tracks_of

from liquid_mono3d_ros.calibration.pose_problem import Change
from liquid_mono3d_ros.calibration.refinement import Refinement
from liquid_mono3d_ros.geometry.rig import load_rig, save_rig
from liquid_mono3d_ros.geometry.triangulator import GeometrySettings
from liquid_mono3d_ros.graph import TriangulationNodeSettings
from liquid_mono3d_ros.nodes import repair as module
from liquid_mono3d_ros.nodes.repair import Outcome, Repairer, TrackMemory, repair, write_rig
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.synth.rigs import ring_rig

ROOM = ring_rig(3)


def stamps(memory):
    return [(one.camera, one.stamp) for one in memory.images()]


def test_the_memory_holds_the_last_seconds_of_one_run_in_the_order_of_the_stamps():
    images = tracks_of(ROOM, duration=3.0)
    memory = TrackMemory(1.0)
    for one in [*images[:30], images[32], images[31], images[30], *images[33:]]:
        memory.add(one)
    kept = [one for one in images if images[-1].stamp - one.stamp <= SECOND]
    assert stamps(memory) == [(one.camera, one.stamp) for one in kept]
    memory.add(images[-1])  # a duplicate
    assert len(memory.images()) == len(kept)
    memory.add(images[0])  # the clock went back
    memory.add(replace(images[-2], stamp=images[-2].stamp + 1))  # of the old run
    assert stamps(memory) == [(images[0].camera, images[0].stamp)]
    memory.reset()
    assert not memory.images()


def test_the_memory_is_bounded_by_a_number_too(monkeypatch):
    monkeypatch.setattr(module, "MOST", 10)
    memory = TrackMemory(600.0)
    for one in tracks_of(ROOM, duration=1.0):
        memory.add(one)
    assert len(memory.images()) == 10


def test_a_memory_of_nothing_remembers_nothing():
    memory = TrackMemory(0.0)
    memory.add(tracks_of(ROOM, duration=0.1)[0])
    assert not memory.images()


def test_the_cameras_of_a_rig_that_agrees_stay():
    images = tracks_of(ROOM, duration=2.0)
    found = repair(ROOM, images, GeometrySettings(sync="exact"))
    assert (found.outcome, found.rig) == (Outcome.AGREED, ROOM)
    assert found.sentence.startswith("all cameras agree within their noise: camera0 0.")


def refinement(after_px, held=("camera0",), misfit=1.0, changes=("camera1",)):
    nothing = (0.0, math.nan)
    change = Change((math.radians(1.5), 0.001), (0.034, 0.002), nothing, nothing)
    before = {"camera0": 0.5, "camera1": 20.0}
    after = {"camera0": 0.5, "camera1": after_px}
    done = dict.fromkeys(changes, change)
    return Refinement(ROOM, done, held, before, after, misfit, 100, 1.0)


@pytest.mark.parametrize(
    ("found", "outcome", "sentence"),
    [
        (
            refinement(0.6),
            Outcome.REFINED,
            "camera1 was turned by 1.50 deg, moved by 34 mm: residual 20.0 px before, 0.6 px"
            " after; with camera0 alone to compare with, nobody knows which one moved, nor how far"
            " apart they are.",
        ),
        (
            refinement(0.6, held=("camera0", "camera2")),
            Outcome.REFINED,
            "camera1 was turned by 1.50 deg, moved by 34 mm: residual 20.0 px before, 0.6 px"
            " after.",
        ),
        (
            refinement(21.0),
            Outcome.FAILED,
            "nothing was changed: no other pose of camera1 fits better. Calibrate again.",
        ),
        (
            refinement(20.0, misfit=3.0, changes=()),
            Outcome.FAILED,
            "nothing was changed: the residuals (camera0 0.5, camera1 20.0 px) are 3.0 times what"
            " the noise explains, but no one camera is to blame. Calibrate again.",
        ),
    ],
)
def test_each_outcome_has_its_sentence(monkeypatch, found, outcome, sentence):
    monkeypatch.setattr(module, "gather", lambda *_: None)
    monkeypatch.setattr(module, "refine_rig", lambda *_: found)
    result = repair(ROOM, [], GeometrySettings())
    assert (result.outcome, result.sentence) == (outcome, sentence)


def test_the_file_keeps_the_cameras_and_the_world_that_the_node_does_not_use(tmp_path):
    four = ring_rig(4)
    save_rig(four, tmp_path / "rig.yaml")
    truth = knocked(four, "camera1")
    used = {name: truth.cameras[name] for name in ("camera0", "camera1")}
    repaired = replace(truth, cameras=used, world_frame="cell")
    write_rig(repaired, tmp_path / "rig.yaml", tmp_path / "repaired.yaml")
    written = load_rig(tmp_path / "repaired.yaml")
    assert (list(written.cameras), written.world_frame) == (list(four.cameras), four.world_frame)
    np.testing.assert_array_equal(written.cameras["camera1"].R_cw, used["camera1"].R_cw)
    np.testing.assert_array_equal(written.cameras["camera3"].R_cw, four.cameras["camera3"].R_cw)


def test_moving_cameras_are_refused():
    settings = TriangulationNodeSettings(extrinsics="tf", moving_cameras=True)
    refusal = Repairer(settings, lambda found: None).refusal()
    assert refusal.startswith("moving_cameras must be false; got true. A camera that TF moves")


def test_a_file_that_cannot_be_written_is_said_and_the_rig_used(tmp_path):
    images = tracks_of(knocked(ROOM, "camera1"), duration=2.0)
    found = []
    save_rig(ROOM, tmp_path / "rig.yaml")
    settings = TriangulationNodeSettings(rig=str(tmp_path / "rig.yaml"), refined_rig=str(tmp_path))
    repairer = Repairer(settings, found.append)
    for one in images:
        repairer.memory.add(one)
    repairer.start(ROOM)
    repairer._thread.join()
    assert found[0].outcome is Outcome.REFINED
    assert f"The rig is used but was not written to {tmp_path}: " in found[0].sentence
