"""The filter node with a network: weights of one's own, none, and what goes on inside."""

import pytest
from advisers import adviser
from diagnostic_msgs.msg import DiagnosticStatus
from feeds import FRAME, Feed, point, points
from liquid_mono3d.msg import Point3DArray, Trajectory
from observer import health, hosted

from liquid_mono3d_ros.nodes.liquid_filter import LiquidFilterNode
from liquid_mono3d_ros.nodes.messages import header, to_stamp

pytestmark = pytest.mark.ros
MODELS = "liquid_filter/debug/models"


@pytest.fixture
def weights(tmp_path):
    adviser(loud=0.1).save(tmp_path / "own.safetensors")
    return str(tmp_path / "own.safetensors")


def test_own_weights_run_and_what_goes_on_inside_is_told_to_who_asks(weights):
    parameters = {"filter": "liquid", "weights": weights}
    feed = Feed(LiquidFilterNode, parameters, points, "trajectories")
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        for k in range(3):
            feed.send(observer, k)
        assert not node.filter._design.watched, "nobody looks"
        told = observer.listen(MODELS)
        observer.meet(MODELS)
        for k in range(3, 7):
            feed.send(observer, k)
        observer.until(lambda: len(told) > 2)
        status = told[-1].status[0]
        values = {pair.key: float(pair.value) for pair in status.values}
        assert status.name == "track 1"
        weight = sum(value for key, value in values.items() if key.startswith("weight of "))
        assert weight == pytest.approx(1.0, abs=1e-4)
        assert len([key for key in values if key.startswith("probability of imm ")]) == 5
        assert 0.01 < values["tau_s"] < 3.0
        assert {"log_r", "log_q"} <= set(values)
        one = feed.heard[0][-1].trajectories[0]
        assert one.filter == Trajectory.LIQUID
        assert one.health == 0


def test_without_weights_the_imm_runs_and_diagnostics_say_why(tmp_path):
    parameters = {"filter": "liquid", "weights": str(tmp_path / "none.safetensors")}
    feed = Feed(LiquidFilterNode, parameters, points, "trajectories")
    with hosted(feed.kind, feed.parameters) as (node, observer):
        feed.listen(observer)
        feed.send(observer, 0)
        one = feed.heard[0][-1].trajectories[0]
        assert one.filter == Trajectory.IMM
        assert one.health == Trajectory.HEALTH_FALLBACK
        level, sentence, _ = health(node)
        assert level == DiagnosticStatus.WARN[0]
        assert "The imm filter runs instead of the liquid one" in sentence
        assert "none.safetensors" in sentence


def test_predictions_come_at_the_nodes_own_beat_while_tracks_may_be_followed():
    """Points that cease; the clock goes on by itself."""
    parameters = {"prediction_rate": 50.0, "coast_time": 0.3, "lag": 0}
    with hosted(LiquidFilterNode, parameters) as (node, observer):
        told = observer.listen("trajectories_predicted")
        observer.meet("trajectories_predicted")
        start = node.get_clock().now().nanoseconds
        for k in range(5):
            array = Point3DArray(header=header(start + k * FRAME, "world"), points=[point()])
            observer.say("points3d", array)
        observer.until(lambda: len(told) >= 5)
        observer.spin(0.5)
        count, last = len(told), told[-1]
        observer.spin(0.2)
        assert len(told) == count, "nothing more once the track would have been deleted"
    stamps = [to_stamp(message.header.stamp) for message in told]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] - (start + 4 * FRAME) <= 300_000_000
    assert last.trajectories[0].state == Trajectory.COASTING
    assert not last.trajectories[0].measured
