"""A backward stamp, a jump of the clock and ~/reset start one new epoch, in every stage."""

import time

import pytest
from feeds import CAMERAS, FRAME, TRACKING, Feed, feeds, images, stamp, trajectories
from observer import ball, hosted
from rosgraph_msgs.msg import Clock
from scenes import ORIGIN
from std_srvs.srv import SetBool, Trigger

from liquid_mono3d_ros.nodes.description import DescriptionNode
from liquid_mono3d_ros.nodes.messages import from_stamp, to_stamp
from liquid_mono3d_ros.nodes.tracking import TrackingNode

pytestmark = pytest.mark.ros
STAGES = pytest.mark.parametrize("feed", feeds(), ids=lambda feed: feed.kind.spec_name)


@STAGES
def test_a_backward_stamp(feed):
    with hosted(feed.kind, feed.parameters) as (_, observer):
        feed.listen(observer)
        for k in (1000, 1001, 1002, 0, 1, 2):
            feed.send(observer, k)
        for epochs in feed.epochs():
            assert epochs == [0, 0, 0, 1, 1, 1]


@STAGES
def test_the_reset_service(feed):
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        for k in range(3):
            feed.send(observer, k)
        assert observer.call(Trigger, f"/{node.get_name()}/reset").success
        for k in range(3, 6):
            feed.send(observer, k)
        for epochs in feed.epochs():
            assert epochs == [0, 0, 0, 1, 1, 1]
        assert node.counts["reset_service"] == 1


@STAGES
@pytest.mark.parametrize("clock_first", [True, False])
def test_a_clock_that_jumps_back_with_the_stamps(feed, clock_first):
    """The news of the jump comes before or after the first message of the new run."""
    with hosted(feed.kind, {**feed.parameters, "use_sim_time": True}) as (node, observer):
        feed.listen(observer)
        for k in (1000, 1001, 1002, 0, 1, 2):
            if clock_first:
                tick(node, observer, k)
            feed.send(observer, k)
            if not clock_first:
                tick(node, observer, k)
        for epochs in feed.epochs():
            assert epochs == [0, 0, 0, 1, 1, 1]
        assert node.counts["clock_jump"] == int(clock_first)


def tick(node, observer, k):
    """Set the simulated time; a node cannot be asked whether it listens, so say it again."""

    def has_heard():
        observer.say("/clock", Clock(clock=from_stamp(stamp(k))))
        return node.get_clock().now().nanoseconds == stamp(k)

    observer.until(has_heard)


def test_an_image_that_waits_during_a_reset_is_not_used():
    feed = Feed(TrackingNode, TRACKING, images, "{camera}/tracks2d", CAMERAS)
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        feed.send(observer, 1000)
        with node.lock:  # the worker has to wait for the tracker
            node.worker.submit("left", (node.resets, ball(stamp(1001), (40.0, 60.0))))
            while node.worker._items:  # until it is in work
                time.sleep(0.001)
            node.reset("test")
        observer.until(lambda: node.counts["cleared_by_reset"] == 1)
        feed.send(observer, 0)
        assert feed.epochs() == [[0, 1], [0, 1]]


@STAGES
def test_a_disabled_stage_ignores_and_counts_its_input(feed):
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        feed.send(observer, 0)
        service = f"/{node.get_name()}/enable"
        assert observer.call(SetBool, service, SetBool.Request(data=False)).success
        feed.put(observer, 1)
        num_messages = len(list(feed.messages(1)))
        observer.until(lambda: node.counts["disabled"] == num_messages)
        assert observer.call(SetBool, service, SetBool.Request(data=True)).success
        feed.send(observer, 2)
        for heard in feed.heard:
            assert [to_stamp(message.header.stamp) for message in heard] == [stamp(0), stamp(2)]


def test_the_description_forgets_the_tracks_of_the_old_epoch():
    with hosted(DescriptionNode) as (_, observer):
        facts = observer.listen("facts")
        observer.meet("facts")
        for k in range(100, 130):
            observer.say("trajectories", trajectories(k))
        observer.until(lambda: facts and to_stamp(facts[-1].start) == ORIGIN + 100 * FRAME)
        for k in range(30):
            observer.say("trajectories", trajectories(k, epoch=1))
        observer.until(lambda: facts[-1].epoch == 1)
        assert to_stamp(facts[-1].start) == ORIGIN
