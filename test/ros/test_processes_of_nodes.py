"""Nodes as processes: namespaces, wrong parameters, a manager of one's own."""

from itertools import count

import pytest
from feeds import TRACKING, TRIANGULATION, images, point, points_array, stamp
from lifecycle_msgs.srv import GetState
from observer import interrupt, observing, output_to
from std_srvs.srv import Trigger

from liquid_mono3d_ros.nodes.messages import to_stamp
from liquid_mono3d_ros.plan import Plan, Process
from liquid_mono3d_ros.processes import Supervisor

pytestmark = pytest.mark.ros
PLACE = {"a": 1.0, "b": 2.0}
"""Where the object stands in each namespace, m along x."""


def node(executable, name="", namespace="", **parameters):
    return Process(executable, name or executable, namespace, parameters, (), (), "warn")


def test_two_namespaces_do_not_hear_each_other(tmp_path):
    plan = Plan(
        tuple(
            node(executable, f"{executable}_{namespace}", namespace, **parameters)
            for namespace in ("a", "b")
            for executable, parameters in (("tracking", TRACKING), ("liquid_filter", {}))
        )
    )
    with observing() as observer, output_to(tmp_path / "log"), Supervisor(plan) as supervisor:
        left = {"name": "{camera}/tracks2d", "camera": "left"}
        tracks = {n: observer.listen(**left, namespace=n) for n in "ab"}
        poses = {n: observer.listen("pose", namespace=n) for n in "ab"}
        first = {"a": 0, "b": 100_000}

        def speak(namespace, k):
            for name, message, parts in images(k):
                observer.say(name, message, namespace=namespace, **parts)
            array = points_array(k, point(xyz=(PLACE[namespace], 0.0, 0.0)))
            observer.say("points3d", array, namespace=namespace)

        for k in count():
            for namespace in "ab":
                speak(namespace, first[namespace] + k)
            observer.spin(0.02)
            if all(len(tracks[n]) >= 10 and len(poses[n]) >= 10 for n in "ab"):
                break
            assert k < 3000, {name: len(heard) for name, heard in observer.heard.items()}
        for namespace in "ab":
            own = {stamp(first[namespace] + i) for i in range(k + 1)}
            assert {to_stamp(m.header.stamp) for m in tracks[namespace]} <= own
            assert {to_stamp(m.header.stamp) for m in poses[namespace]} <= own
            assert {m.epoch for m in tracks[namespace]} == {0}
            x = {round(m.pose.position.x, 2) for m in poses[namespace]}
            assert x == {PLACE[namespace]}
        assert observer.call(Trigger, "/a/tracking_a/reset").success

        def reset_is_heard():
            for namespace in "ab":
                speak(namespace, first[namespace] + next(later))
            newest = {stamp(first[n] + k): tracks[n] for n in "ab"}
            return all(to_stamp(t[-1].header.stamp) > after for after, t in newest.items())

        later = count(k + 1)
        observer.until(reset_is_heard)
        observer.until(lambda: tracks["a"][-1].epoch == 1)
        assert tracks["b"][-1].epoch == 0
        assert set(interrupt(dict(supervisor.running), times=2).values()) == {0}
    assert "Traceback" not in (tmp_path / "log").read_text()


WRONG = {
    "out_of_range": (
        node("tracking", "out_of_range", **TRACKING, queue_size=0),
        "queue_size",
    ),
    "wrong_type": (node("liquid_filter", "wrong_type", track_slots="two"), "track_slots"),
    "unknown_name": (
        node("description", "unknown_name", face_frame="base"),
        "parameter face_frame must be one of the node's; got no such.",
    ),
    "unknown_camera": (
        node("triangulation", "unknown_camera", **TRIANGULATION, cameras=["left", "top"]),
        "cameras must be among left, right, the cameras of",
    ),
    "missing_rig": (
        node("triangulation", "missing_rig", rig="/no/rig.yaml"),
        "rig must be an existing file; got /no/rig.yaml.",
    ),
}


def test_a_wrong_parameter_ends_its_node_with_a_sentence_and_the_others_go_on(tmp_path):
    good = node("player", wait=600.0)
    waiting = node("description", "managed", autostart=False)
    plan = Plan((*(process for process, _ in WRONG.values()), good, waiting))
    with observing() as observer, output_to(tmp_path / "log"), Supervisor(plan) as supervisor:

        def settled():
            supervisor.look()
            return supervisor.failed.keys() == WRONG.keys()

        observer.until(settled, "the end of five nodes")
        assert set(supervisor.failed.values()) == {1}
        state = observer.call(GetState, "/managed/get_state").current_state
        assert state.label == "unconfigured"
        assert observer.call(GetState, "/player/get_state").current_state.label == "active"
        assert supervisor.running.keys() == {"player", "managed"}
        statuses = interrupt(dict(supervisor.running), times=1)
        assert statuses == {"player": 0, "managed": 0}
    log = (tmp_path / "log").read_text()
    for _, sentence in WRONG.values():
        assert sentence in log, log
    assert "Traceback" not in log, log
