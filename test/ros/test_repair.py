"""A camera is knocked; the running node is asked to repair its rig."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from knocked_rigs import knocked, tracks_of
from observer import PATIENCE, health, hosted
from scenes import stereo_rig
from std_srvs.srv import Trigger

from liquid_mono3d_ros.geometry.rig import load_rig, save_rig
from liquid_mono3d_ros.nodes import repair
from liquid_mono3d_ros.nodes.messages import tracks2d_to_msg
from liquid_mono3d_ros.nodes.triangulation import TriangulationNode
from liquid_mono3d_ros.synth.rigs import ring_rig

pytestmark = pytest.mark.ros
ROOM = ring_rig(4)
BUSY = "a repair is running: the log and /diagnostics will tell what comes of it."


def asked(observer):
    """Ask for a repair; return whether it began, and the words."""
    answer = observer.call(Trigger, "/triangulation/refine")
    return answer.success, answer.message


def feed(node, observer, images, count=0):
    """Publish tracks, and let the node take each in; ``count`` images are in already."""
    for sent, one in enumerate(images, start=count + 1):
        message = tracks2d_to_msg(replace(one, class_id=("",) * len(one)))
        observer.say("{camera}/tracks2d", message, camera=one.camera)
        observer.until(lambda n=sent: node.triangulator.counters["images"] == n)


def rig_file(folder):
    save_rig(ROOM, folder / "rig.yaml")
    return {"rig": str(folder / "rig.yaml"), "refined_rig": str(folder / "repaired.yaml")}


@pytest.fixture
def gate(monkeypatch):
    """Something that a repair waits for before it is done."""
    opened, refine_rig = threading.Event(), repair.refine_rig

    def wait_and_refine(*given):
        assert opened.wait(PATIENCE)
        return refine_rig(*given)

    monkeypatch.setattr(repair, "refine_rig", wait_and_refine)
    return opened


def test_a_knocked_camera_agrees_again_in_the_same_running_node(tmp_path, gate):
    truth = knocked(ROOM, "camera2")
    images = tracks_of(truth, duration=4.0)
    with hosted(TriangulationNode, rig_file(tmp_path)) as (node, observer):
        points = observer.listen("points3d")
        observer.meet("points3d")
        feed(node, observer, images[:300])
        assert node.triangulator.health()["camera2"].residual_px > 15
        began, words = asked(observer)
        assert began
        assert words.startswith("running, with 300 images: the log and /diagnostics will tell")
        assert asked(observer) == (False, BUSY)
        feed(node, observer, images[300:320], count=300)  # the node goes on meanwhile
        assert health(node)[2]["refine"] == "running, with 300 images"
        gate.set()
        observer.until(lambda: node.counts["refined"])

        feed(node, observer, images[320:])
        assert all(r.residual_px < 1.5 for r in node.triangulator.health().values())
        assert not any("disagrees" in problem for problem in node.complaints())
        values = health(node)[2]
        assert values["refine"].startswith("camera2 was turned by ")
        assert f"The rig was written to {tmp_path}/repaired.yaml." in values["refine"]
        assert (values["epoch"], values["count refined"]) == ("1", "1")
        observer.until(lambda: points[-1].epoch == 1)
        epochs = [array.epoch for array in points]
        assert epochs == sorted(epochs)
        written = load_rig(tmp_path / "repaired.yaml").cameras
        for name, camera in node.rig.cameras.items():
            np.testing.assert_array_equal(written[name].t_cw, camera.t_cw)
            stayed = np.array_equal(camera.t_cw, ROOM.cameras[name].t_cw)
            assert stayed == (name != "camera2")

        assert asked(observer)[0]  # the same tracks again, to the repaired rig
        observer.until(lambda: node.counts["refine_agreed"])
        assert health(node)[2]["refine"].startswith("all cameras agree within their noise")
        assert node.counts["refined"] == 1


def test_a_repair_that_runs_ends_with_the_node(tmp_path):
    with hosted(TriangulationNode, rig_file(tmp_path)) as (node, observer):
        for one in tracks_of(knocked(ROOM, "camera2"), duration=20.0):
            node.repairer.memory.add(one)
        assert asked(observer)[0]
        node.stop()
        assert not node.repairer.busy
        assert node.counts["refined"] == 0
        assert asked(observer) == (False, "the node is not configured: configure it first.")
    assert not (tmp_path / "repaired.yaml").exists()


def test_a_reset_forgets_the_tracks_and_without_any_nothing_can_be_said(tmp_path):
    with hosted(TriangulationNode, rig_file(tmp_path)) as (node, observer):
        feed(node, observer, tracks_of(ROOM, duration=0.2))
        assert len(node.repairer.memory.images()) == 24
        assert observer.call(Trigger, "/triangulation/reset").success
        began, words = asked(observer)
        assert began
        assert words.startswith("running, with 0 images")
        observer.until(lambda: node.counts["refine_failed"])
        sentence = health(node)[1]
        assert "nothing could be said: tracks must be of objects seen by two cameras" in sentence


PAIR = list(stereo_rig().cameras)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"extrinsics": "camera_info", "cameras": PAIR},
            "extrinsics must be rig; got camera_info.",
        ),
        ({"refine_memory": 0.0}, "refine_memory must be more than 0 s; got 0. Set it and start"),
    ],
)
def test_a_refusal_names_the_cause(tmp_path, parameters, sentence):
    given = parameters if "cameras" in parameters else {**rig_file(tmp_path), **parameters}
    with hosted(TriangulationNode, given) as (_, observer):
        began, words = asked(observer)
        assert not began
        assert words.startswith(sentence)


def test_an_unconfigured_node_and_a_directory_that_is_not_there_are_named(tmp_path):
    given = {**rig_file(tmp_path), "refined_rig": str(tmp_path / "no" / "rig.yaml")}
    with hosted(TriangulationNode, given, bring_up=False) as (node, observer):
        assert asked(observer) == (False, "the node is not configured: configure it first.")
        assert not node.bring_up()
        assert node.failure.startswith("refined_rig must be in a directory that exists; got '")
        assert asked(observer) == (False, "the node is not configured: configure it first.")
