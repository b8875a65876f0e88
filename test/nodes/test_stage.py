"""What every node shares, tried on a stage made for it."""

from dataclasses import dataclass

import pytest
import rclpy
from liquid_mono3d.msg import Point3DArray
from observer import health, hosted
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger

from liquid_mono3d_ros.graph import NODES, NodeSpec, StageSettings
from liquid_mono3d_ros.nodes import stage as stage_module
from liquid_mono3d_ros.nodes.managed import run
from liquid_mono3d_ros.nodes.messages import from_stamp, header
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.records import SECOND
from liquid_mono3d_ros.settings import setting

pytestmark = pytest.mark.ros
OK, WARN, ERROR = 0, 1, 2


@dataclass(frozen=True)
class TrialSettings(StageSettings):
    gain: float = setting(1.0, "something live", unit="m", bounds=(0.0, 5.0), live=True)
    size: int = setting(3, "something fixed", bounds=(1, 9))
    word: str = setting("a", "a choice", choices=("a", "b"), live=True)
    names: tuple[str, ...] = setting((), "a list")


class Trial(Stage[TrialSettings]):
    spec_name = "trial"

    def configure(self):
        if self.settings.size == 9:
            raise ValueError("size must be below 9 today; got 9. Choose less.")
        if self.settings.size == 8:
            raise RuntimeError("a slip")
        self.got, self.restarts, self.applied = [], 0, []
        self.output = self.advertise("points3d_out")

    def connect(self):
        self.subscribe("points3d", self.take)

    def take(self, message):
        if message.epoch == 99:
            raise ValueError("epoch must be below 99; got 99. Mend it.")
        self.got.append(message.header.stamp.sec)

    def restart(self):
        self.restarts += 1

    def apply(self, settings):
        if settings.gain == 4.0:
            raise ValueError("gain must not be 4 while running; got 4.0. Choose another.")
        self.applied.append(settings.gain)


@pytest.fixture(autouse=True)
def trial_in_the_graph(monkeypatch):
    monkeypatch.setitem(NODES, "trial", NodeSpec("trial", "for tests", TrialSettings))
    topics = {"points3d_out": stage_module.TOPICS["trajectories"]}
    monkeypatch.setattr(stage_module, "TOPICS", {**stage_module.TOPICS, **topics})


def points(stamp, epoch=0):
    return Point3DArray(header=header(round(stamp * SECOND), "world"), epoch=epoch)


def test_inputs_reach_the_stage_while_it_is_enabled():
    with hosted(Trial) as (node, observer):
        observer.say("points3d", points(1))
        observer.until(lambda: node.got == [1])
        observer.call(SetBool, "/trial/enable", SetBool.Request(data=False))
        observer.say("points3d", points(2))
        observer.until(lambda: node.counts["disabled"] == 1)
        assert observer.call(SetBool, "/trial/enable", SetBool.Request(data=True)).success
        observer.say("points3d", points(3))
        observer.until(lambda: node.got == [1, 3])
        assert health(node)[2]["count disabled"] == "1"


def test_reset_service_restarts_and_is_counted():
    with hosted(Trial) as (node, observer):
        assert observer.call(Trigger, "/trial/reset").success
        assert node.restarts == 1
        assert health(node)[2]["count reset_service"] == "1"


def test_reset_before_configure_is_harmless():
    with hosted(Trial, bring_up=False) as (node, observer):
        assert observer.call(Trigger, "/trial/reset").success
        assert health(node)[:2] == (OK, "unconfigured")


def test_a_refused_message_is_counted_named_and_forgotten_in_time(monkeypatch):
    with hosted(Trial) as (node, observer):
        observer.say("points3d", points(1.5, epoch=99))
        observer.say("points3d", points(2))
        observer.until(lambda: node.got == [2])
        level, sentence, values = health(node)
        assert (level, values["count invalid_message"]) == (WARN, "1")
        assert "/points3d at 1500000000 ns: epoch must be below 99; got 99. Mend it." in sentence
        monkeypatch.setattr("liquid_mono3d_ros.nodes.diagnostics.RECENT", 0.0)
        level, sentence, values = health(node)
        assert (level, sentence) == (OK, "good")
        assert values["count invalid_message"] == "1"


def test_a_zero_stamp_is_counted_named_and_used():
    with hosted(Trial) as (node, observer):
        observer.say("points3d", points(0))
        observer.until(lambda: node.got == [0])
        level, sentence, values = health(node)
        assert (level, values["count zero_stamp"]) == (WARN, "1")
        assert "/points3d: stamp 0" in sentence
        assert "must set header.stamp" in sentence


def test_an_input_without_publisher_is_named_with_the_namespace():
    with hosted(Trial, namespace="robot") as (node, observer):
        observer.spin(0.1)
        level, sentence, _ = health(node)
        assert level == WARN
        assert sentence.startswith("/robot/points3d: no publisher. Check")


def test_a_publisher_of_another_quality_is_named():
    with hosted(Trial) as (node, observer):
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        observer.node.create_publisher(Point3DArray, "points3d", qos)
        observer.until(lambda: node.counts["incompatible_qos"])
        level, sentence, _ = health(node)
        assert level == WARN
        assert "/points3d: a publisher offers another reliability. Set qos_overrides" in sentence


def test_quality_can_be_overridden():
    name = "qos_overrides./points3d.subscription.reliability"
    with hosted(Trial, {name: "best_effort"}) as (node, observer):
        info = observer.until(lambda: observer.node.get_subscriptions_info_by_topic("/points3d"))
        assert info[0].qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        assert node.state == "active"


def tick(node, observer, stamp):
    """Set the simulated time; a node cannot be asked whether it listens, so say it again."""
    now = round(stamp * SECOND)

    def has_heard():
        observer.say("/clock", Clock(clock=from_stamp(now)))
        return node.get_clock().now().nanoseconds == now

    observer.until(has_heard)


def simulated():
    return hosted(Trial, {"use_sim_time": True})


@pytest.mark.parametrize("sees_backward_stamps", [True, False])
def test_the_first_clock_message_is_no_jump(sees_backward_stamps, monkeypatch):
    monkeypatch.setattr(Trial, "sees_backward_stamps", sees_backward_stamps)
    with simulated() as (node, observer):
        observer.say("points3d", points(1_700_000_000))
        observer.until(lambda: node.got)
        tick(node, observer, 1_700_000_000)
        assert node.restarts == 0


def test_a_clock_that_jumps_back_restarts_once_and_old_messages_are_left_out():
    with simulated() as (node, observer):
        tick(node, observer, 100)
        observer.say("points3d", points(100))
        observer.until(lambda: node.got == [100])
        tick(node, observer, 1)
        observer.until(lambda: node.restarts == 1)
        for stamp in (101, 1, 2):  # the first was on its way when the clock jumped
            observer.say("points3d", points(stamp))
        observer.until(lambda: node.got == [100, 1, 2])
        assert node.restarts == 1
        assert node.counts["stale_epoch"] == 1
        assert node.counts["clock_jump"] == 1


def test_a_clock_that_is_later_than_the_messages_does_not_restart_twice():
    with simulated() as (node, observer):
        tick(node, observer, 100)
        observer.say("points3d", points(100))
        observer.say("points3d", points(1))  # its own stamp says that it is a new run
        observer.until(lambda: node.got == [100, 1])
        tick(node, observer, 1)
        assert node.restarts == 0


def test_a_stage_that_does_not_look_at_stamps_restarts_with_the_clock(monkeypatch):
    monkeypatch.setattr(Trial, "sees_backward_stamps", False)
    with simulated() as (node, observer):
        tick(node, observer, 100)
        observer.say("points3d", points(100))
        observer.say("points3d", points(1))
        observer.until(lambda: node.got == [100, 1])
        tick(node, observer, 1)
        observer.until(lambda: node.restarts == 1)


def test_a_long_jump_ahead_restarts():
    with simulated() as (node, observer):
        tick(node, observer, 100)
        observer.say("points3d", points(100))
        observer.until(lambda: node.got)
        tick(node, observer, 109)
        assert node.restarts == 0
        tick(node, observer, 130)
        observer.until(lambda: node.restarts == 1)


def set_parameter(observer, name, **value):
    kind = {"double_value": ParameterType.PARAMETER_DOUBLE}.get(
        next(iter(value)), ParameterType.PARAMETER_INTEGER
    )
    if "string_value" in value:
        kind = ParameterType.PARAMETER_STRING
    change = Parameter(name=name, value=ParameterValue(type=kind, **value))
    request = SetParameters.Request(parameters=[change])
    return observer.call(SetParameters, "/trial/set_parameters", request).results[0]


def test_live_parameters_change_and_the_others_say_why_not():
    with hosted(Trial) as (node, observer):
        assert set_parameter(observer, "gain", double_value=2.5).successful
        assert (node.settings.gain, node.applied) == (2.5, [2.5])

        refused = set_parameter(observer, "gain", double_value=7.0)
        assert not refused.successful
        assert "gain" in refused.reason
        refused = set_parameter(observer, "gain", double_value=4.0)
        assert refused.reason.startswith("gain must not be 4 while running")
        refused = set_parameter(observer, "word", string_value="c")
        assert refused.reason == "word must be one of a, b; got 'c'. Choose one of them."
        refused = set_parameter(observer, "size", integer_value=4)
        assert not refused.successful
        assert "read-only parameter: size" in refused.reason
        assert (node.settings.gain, node.settings.word, node.settings.size) == (2.5, "a", 3)


def test_configuration_that_fails_is_said_and_the_node_stays_unconfigured():
    with hosted(Trial, {"size": 9}, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert node.state == "unconfigured"
        assert health(node)[:2] == (ERROR, "size must be below 9 today; got 9. Choose less.")


def test_a_fault_of_the_program_shows_its_trace():
    with hosted(Trial, {"size": 8}, bring_up=False) as (node, _):
        assert not node.bring_up()
        assert "a fault of this program" in node.failure
        assert "RuntimeError: a slip" in node.failure


@pytest.fixture
def sigint_restored():
    import signal

    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["size:=12"], "size"),
        (["size:=text"], "size"),
        (["gain:=-1.0"], "gain"),
        (["word:=c"], "word must be one of a, b; got 'c'"),
        (["sise:=3"], "parameter sise must be one of the node's; got no such"),
        (["size:=9"], "size must be below 9 today"),
        (["names:=[1.0]"], "names"),
    ],
)
def test_a_wrong_parameter_ends_the_process_with_a_sentence(
    words, sentence, monkeypatch, capfd, sigint_restored
):
    arguments = [word for pair in words for word in ("-p", pair)]
    monkeypatch.setattr("sys.argv", ["trial", "--ros-args", *arguments])
    assert run(Trial) == 1
    told = "".join(capfd.readouterr())
    assert sentence in told
    assert "Traceback" not in told


def test_a_node_that_is_stopped_while_it_starts_ends_well(monkeypatch, capfd, sigint_restored):
    def configure(self):
        rclpy.shutdown()  # as the signal handler does
        self.advertise("points3d_out")

    monkeypatch.setattr(Trial, "configure", configure)
    monkeypatch.setattr("sys.argv", ["trial"])
    assert run(Trial) == 0
    assert "Traceback" not in "".join(capfd.readouterr())


def test_every_quality_of_the_graph_is_what_it_says():
    from rclpy.qos import DurabilityPolicy

    from liquid_mono3d_ros.graph import LATCHED, RELIABLE, SENSOR

    assert stage_module.quality(SENSOR).reliability == ReliabilityPolicy.BEST_EFFORT
    assert stage_module.quality(SENSOR).depth == 5
    assert stage_module.quality(RELIABLE).reliability == ReliabilityPolicy.RELIABLE
    assert stage_module.quality(RELIABLE).depth == 50
    assert stage_module.quality(LATCHED).durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert stage_module.quality(LATCHED).reliability == ReliabilityPolicy.RELIABLE
