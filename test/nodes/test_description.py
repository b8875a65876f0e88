"""The description node: what it hears, whose words it publishes, and what it says is wrong."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("liquid_mono3d.msg", exc_type=ImportError)
from liquid_mono3d.msg import (
    Point3D,
    Point3DArray,
    Sighting,
    TrackCrop,
    TrackCropArray,
    Trajectory,
    TrajectoryArray,
)
from observer import health, hosted
from scenes import STEREO_RIG, stereo_rig

from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.nodes import description
from liquid_mono3d_ros.nodes.description import DescriptionNode
from liquid_mono3d_ros.nodes.messages import header
from liquid_mono3d_ros.records import Description

pytestmark = pytest.mark.ros
FRAME = 66_666_667
ORIGIN = 1_000_000_000
SIGHT = {"sight": "facts", "cameras": ["left", "right"], "rig": str(STEREO_RIG)}


class Model:
    """Writes when it is let; remembers which thread it ran in and what it saw."""

    name = "model"

    def __init__(self, text="It moved."):
        self.text = text
        self.gate = threading.Event()
        self.gate.set()
        self.threads = set()
        self.images = []

    def load(self):
        """Nothing."""

    def describe(self, facts, tokens=None, images=None, question=None, on_token=None, **_):
        self.threads.add(threading.get_ident())
        self.images = images
        self.gate.wait(20)
        return Description(self.text, self.name, facts)


def trajectories(k, *, epoch=0, state=Trajectory.CONFIRMED):
    head = header(ORIGIN + k * FRAME, "world")
    one = Trajectory(header=head, track_id=7, epoch=epoch, measured=True, last_measured=head.stamp)
    one.state, one.filter, one.num_cameras = state, Trajectory.IMM, 2
    one.position.x, one.velocity.x = k * FRAME / 1e9, 1.0
    one.covariance = (1e-6 * np.eye(6)).ravel()
    return TrajectoryArray(header=head, epoch=epoch, trajectories=[one])


def crops(k, camera="left", *, track2d_id=3, side_px=100.0):
    """A red disc that fills four fifths of a window."""
    picture = np.full((64, 64, 3), 150, np.uint8)
    cv2.circle(picture, (32, 32), 25, (205, 30, 35), cv2.FILLED)
    crop = TrackCrop(track2d_id=track2d_id, side_px=side_px, data=picture.reshape(-1))
    return TrackCropArray(header=header(ORIGIN + k * FRAME, camera), camera=camera, crops=[crop])


def points(k, depth=4.0):
    """The object four metres ahead of the left camera, which calls it 3."""
    camera = stereo_rig().cameras["left"]
    xyz = camera.R_cw.T @ (np.array([0.0, 0.0, depth]) - camera.t_cw)
    head = header(ORIGIN + k * FRAME, "world")
    point = Point3D(track_id=7, kind=Point3D.POINT)
    point.position.x, point.position.y, point.position.z = xyz.tolist()
    point.covariance = (1e-6 * np.eye(3)).ravel()
    point.systematic_covariance = [np.nan] * 9
    sighting = Sighting(camera="left", track2d_id=3, stamp=head.stamp, measured=True)
    point.sightings = [sighting]
    return Point3DArray(header=head, points=[point])


def patched(patch, model):
    backend = Verified(model)
    patch.setattr(description, "open_backend", lambda *_: backend)
    return backend


def walk(observer, node, frames):
    for k in frames:
        before = node.inputs["/trajectories"].received
        observer.say("trajectories", trajectories(k))
        observer.until(lambda before=before: node.inputs["/trajectories"].received > before)


def test_crops_become_facts_of_the_track_they_show():
    with hosted(DescriptionNode, SIGHT) as (node, observer):
        facts = observer.listen("facts")
        texts = observer.listen("description_text")
        observer.meet("facts", "description_text")
        for k in range(30):
            for name, message, parts in (
                ("{camera}/crops", crops(k), {"camera": "left"}),
                ("points3d", points(k), {}),
                ("trajectories", trajectories(k), {}),
            ):
                observer.say(name, message, **parts)
                topic = f"/{name.format(**parts)}"
                observer.until(lambda t=topic, k=k: node.inputs[t].received > k, topic)
        observer.until(lambda: facts and facts[-1].rigidity.known)
        last = facts[-1]
        assert (last.colour.value, last.rigidity.value) == ("red", "rigid")
        focal = stereo_rig().cameras["left"].K[0, 0]
        assert last.size.value == pytest.approx(100.0 / focal * 4.0 * 51 / 64, rel=0.06)
        assert last.elongation.value == pytest.approx(1.0, abs=0.1)
        assert any("red" in text.data for text in texts)
        _, _, values = health(node)
        assert float(values["crop_ms"]) > 0


def test_a_crop_that_is_wrong_is_dropped_and_counted():
    with hosted(DescriptionNode, SIGHT) as (node, observer):
        observer.say("{camera}/crops", crops(0, side_px=0.0), camera="left")
        observer.until(lambda: node.counts["invalid_message"])
        assert "side_px must be positive" in health(node)[1]


def test_without_sight_nobody_asks_for_crops():
    with hosted(DescriptionNode) as (node, _):
        assert set(node.inputs) == {"/trajectories"}


def test_sight_needs_cameras():
    with hosted(DescriptionNode, {"sight": "facts"}, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert node.failure.startswith("cameras must be named with sight; got none.")


def test_an_unknown_backend_stops_the_node_with_a_sentence(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("kind: oracle\n", encoding="utf-8")
    for name, sentence in ((str(wrong), "must be one of template"), ("nobody", "nobody")):
        with hosted(DescriptionNode, {"backend": name}, bring_up=False) as (node, _):
            assert not node.bring_up()
            assert sentence in node.failure


def test_a_missing_model_means_the_template_and_a_sentence(tmp_path):
    missing = tmp_path / "missing.yaml"
    missing.write_text(f"kind: facts_llm\nweights: {tmp_path / 'nothing'}\n", encoding="utf-8")
    with hosted(DescriptionNode, {"backend": str(missing)}) as (node, observer):
        words = observer.listen("descriptions")
        observer.meet("descriptions")
        observer.until(lambda: node.writer.trouble, "the failure to load")
        walk(observer, node, range(20))
        observer.until(lambda: words)
        assert (words[0].backend, words[0].verified) == ("template", True)
        level, message, values = health(node)
        assert level == 1
        assert "facts_llm cannot be used:" in message
        assert "The template speaks instead." in message
        assert str(tmp_path) in message
        assert values["backend ready"] == "False"
        assert int(values["count texts not_ready"]) == len(words)


def test_the_model_writes_beside_the_callbacks():
    model = Model()
    with pytest.MonkeyPatch.context() as patch, hosted_with(patch, model) as (node, observer):
        words = observer.listen("descriptions")
        observer.meet("descriptions")
        observer.until(lambda: node.writer.ready)
        model.gate.clear()
        walk(observer, node, range(60))  # 4 s of the road, while the model holds its first text
        assert not words
        assert health(node)[2]["texts waiting"] == "1"
        model.gate.set()
        observer.until(lambda: words)
        assert (words[0].text, words[0].backend) == ("It moved.", "model")
        assert words[0].verified
        assert words[0].latency > 0
        assert threading.get_ident() not in model.threads


def test_what_the_facts_do_not_hold_is_not_published():
    model = Model("It is a blue bird.")
    with pytest.MonkeyPatch.context() as patch, hosted_with(patch, model) as (node, observer):
        words = observer.listen("descriptions")
        observer.meet("descriptions")
        observer.until(lambda: node.writer.ready)
        walk(observer, node, range(20))
        observer.until(lambda: words)
        assert words[0].backend == "template"
        assert "bird" not in words[0].text
        assert any("bird" in claim for claim in words[0].unsupported)
        assert "model gave no words (unsupported 2)." in health(node)[1]


def test_a_model_may_look_at_the_last_crops():
    model = Model()
    with pytest.MonkeyPatch.context() as patch, hosted_with(patch, model, SIGHT) as road:
        node, observer = road
        observer.until(lambda: node.writer.ready)
        for k in range(20):
            observer.say("{camera}/crops", crops(k), camera="left")
            observer.until(lambda k=k: node.inputs["/left/crops"].received > k)
            observer.say("points3d", points(k))
            observer.until(lambda k=k: node.inputs["/points3d"].received > k)
        walk(observer, node, range(20))
        observer.until(lambda: model.images)
        assert len(model.images) == description.IMAGES
        np.testing.assert_array_equal(model.images[-1][32, 32], (35, 30, 205))  # BGR


def test_a_new_epoch_drops_what_is_being_written():
    model = Model()
    with pytest.MonkeyPatch.context() as patch, hosted_with(patch, model) as (node, observer):
        words = observer.listen("descriptions")
        observer.meet("descriptions")
        observer.until(lambda: node.writer.ready)
        model.gate.clear()
        walk(observer, node, range(20))
        observer.until(lambda: model.threads)
        observer.say("trajectories", trajectories(20, epoch=1))
        observer.until(lambda: node.epoch == 1)
        model.gate.set()
        observer.until(lambda: node.writer.counts["discarded"] or node.writer.waiting == 0)
        observer.spin(0.1)
        assert not words
        assert node.writer.counts["cleared"] == 1


def hosted_with(patch, model, parameters=None):
    patched(patch, model)
    return hosted(DescriptionNode, parameters)


def test_the_backend_is_the_one_of_the_file():
    backends = Path(description.__file__).parents[2] / "config" / "backends"
    with hosted(DescriptionNode, {"backend": str(backends / "template.yaml")}) as (node, _):
        assert node.writer.backend is None
        assert health(node)[2]["backend"].endswith("template.yaml")
