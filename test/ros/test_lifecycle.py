"""Managed nodes: unconfigured until told, and as good in the second life as in the first."""

import pytest
from feeds import feeds
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from observer import health, hosted

from liquid_mono3d_ros.nodes.description import DescriptionNode
from liquid_mono3d_ros.nodes.player import PlayerNode
from liquid_mono3d_ros.nodes.probe import ProbeNode
from liquid_mono3d_ros.nodes.recorder import RecorderNode

pytestmark = pytest.mark.ros
CONFIGURE, CLEANUP = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP
ACTIVATE, DEACTIVATE = Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE
SHUTDOWN = Transition.TRANSITION_ACTIVE_SHUTDOWN


def change(observer, name, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return observer.call(ChangeState, f"/{name}/change_state", request).success


def state(observer, name):
    return observer.call(GetState, f"/{name}/get_state").current_state.id


@pytest.mark.parametrize("feed", feeds(), ids=lambda feed: feed.kind.spec_name)
def test_a_stage_works_in_its_second_life(feed):
    name = feed.kind.spec_name
    with hosted(feed.kind, {**feed.parameters, "autostart": False}, bring_up=False) as (
        node,
        observer,
    ):
        assert state(observer, name) == State.PRIMARY_STATE_UNCONFIGURED
        assert health(node)[:2] == (0, "unconfigured")
        for life in range(2):
            assert change(observer, name, CONFIGURE)
            assert state(observer, name) == State.PRIMARY_STATE_INACTIVE
            assert health(node)[:2] == (0, "inactive")
            assert change(observer, name, ACTIVATE)
            assert state(observer, name) == State.PRIMARY_STATE_ACTIVE
            feed.listen(observer)
            for k in range(10 * life, 10 * life + 3):
                feed.send(observer, k)
            assert change(observer, name, DEACTIVATE)
            heard = [len(messages) for messages in feed.heard]
            observer.hush()
            assert state(observer, name) == State.PRIMARY_STATE_INACTIVE
            assert change(observer, name, CLEANUP)
            assert state(observer, name) == State.PRIMARY_STATE_UNCONFIGURED
            assert [len(messages) for messages in feed.heard] == heard
            assert not observer.node.get_publishers_info_by_topic(
                observer.resolve(feed.output.format(camera=feed.cameras[0]))
            )


@pytest.mark.parametrize("kind", [DescriptionNode, ProbeNode, RecorderNode, PlayerNode])
def test_the_others_live_twice_too(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hosted(kind, {"autostart": False}, bring_up=False) as (node, observer):
        for _ in range(2):
            for transition in (CONFIGURE, ACTIVATE, DEACTIVATE, ACTIVATE, DEACTIVATE, CLEANUP):
                assert change(observer, kind.spec_name, transition)
                assert health(node)[0] < 2


@pytest.mark.parametrize("feed", feeds(), ids=lambda feed: feed.kind.spec_name)
def test_a_stage_that_is_shut_down_is_silent(feed):
    name = feed.kind.spec_name
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        feed.send(observer, 0)
        assert change(observer, name, SHUTDOWN)
        assert node.state == "finalized"
        assert health(node)[:2] == (0, "finalized")
        topic = next(iter(feed.messages(1)))
        resolved = observer.resolve(topic[0].format(**topic[2]))
        observer.until(lambda: not observer.node.count_subscribers(resolved))


def test_a_configuration_that_fails_can_be_mended():
    tracking = feeds()[0]
    with hosted(tracking.kind, {"autostart": False}, bring_up=False) as (node, observer):
        assert not change(observer, "tracking", CONFIGURE)
        level, sentence, _ = health(node)
        assert level == 2
        assert sentence.startswith("cameras must be at least one name; got none.")
        assert state(observer, "tracking") == State.PRIMARY_STATE_UNCONFIGURED
