"""Starting, watching and stopping processes; programs of a line stand in for the nodes."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from liquid_mono3d_ros import processes
from liquid_mono3d_ros.plan import Plan, Process
from liquid_mono3d_ros.processes import Supervisor, command

READY = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); "
SLEEP = READY + "import time; time.sleep(60)"
OBEDIENT = "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(0)); " + SLEEP
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + SLEEP
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + DEAF


def node(name="tracking", **changes):
    values = {
        "executable": "tracking",
        "name": name,
        "namespace": "",
        "parameters": {},
        "params_files": (),
        "remappings": (),
        "log_level": "info",
    }
    return Process(**values | changes)


def test_a_node_is_started_with_this_python():
    words = command(node())
    assert words[:3] == [sys.executable, "-m", "liquid_mono3d_ros.nodes.tracking"]
    assert words[3:] == ["--ros-args", "-r", "__node:=tracking", "--log-level", "info"]


def test_values_keep_their_types_as_yaml_and_the_order_is_files_then_values():
    parameters = {"a": "1", "b": 1, "c": 1.0, "d": True, "e": ["x", "y z"], "f": [0.5]}
    words = command(node(parameters=parameters, params_files=("one.yaml", "two.yaml")))
    values = [word for flag, word in itertools.pairwise(words) if flag == "-p"]
    assert values == ['a:="1"', "b:=1", "c:=1.0", "d:=true", 'e:=["x", "y z"]', "f:=[0.5]"]
    files = [w for flag, w in itertools.pairwise(words) if flag == "--params-file"]
    assert files == ["one.yaml", "two.yaml"]
    assert words.index("two.yaml") < words.index("-p")


def test_a_namespace_is_absolute_and_remappings_follow():
    words = " ".join(command(node(namespace="a/b", remappings=(("l/image_raw", "/cam/image"),))))
    assert "-r __ns:=/a/b " in words
    assert "-r l/image_raw:=/cam/image " in words
    assert "__ns:=/a/b" in " ".join(command(node(namespace="/a/b")))


def test_another_package_is_a_program_with_its_own_arguments():
    rviz = node("rviz2", executable="rviz2", package="rviz2", arguments=("-d", "file.rviz"))
    assert command(rviz)[:4] == ["rviz2", "-d", "file.rviz", "--ros-args"]


@pytest.fixture
def supervise(monkeypatch, tmp_path):
    """Return a supervisor of programs, name → text; each touches a file when it is ready."""
    texts = {}

    def program(process):
        return [sys.executable, "-c", texts[process.name], str(tmp_path / process.name)]

    def start(environment=None, **programs):
        texts.update(programs)
        return Supervisor(Plan(tuple(map(node, programs)), environment or {}))

    monkeypatch.setattr(processes, "command", program)
    return start


def wait_for(*files, patience=30.0):
    deadline = time.monotonic() + patience
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline, f"none of {files}"
        time.sleep(0.01)


def test_a_node_that_fails_is_named_and_the_others_go_on(supervise, tmp_path, capsys):
    with supervise(bad="raise SystemExit(3)", good=OBEDIENT) as supervisor:
        wait_for(tmp_path / "good")
        while not supervisor.failed:
            supervisor.look()
        assert supervisor.failed == {"bad": 3}
        assert supervisor.running.keys() == {"good"}
        assert "bad ended with status 3" in capsys.readouterr().err
    assert supervisor.failed == {"bad": 3}
    assert not supervisor.running


def test_waiting_ends_with_the_named_process(supervise, tmp_path):
    with supervise(player="pass", other=OBEDIENT) as supervisor:
        assert supervisor.wait(until="player", tick=0.01) == 0
        assert supervisor.running.keys() == {"other"}
        wait_for(tmp_path / "other")


def test_waiting_ends_with_the_last_process_and_tells_of_a_failure(supervise):
    with supervise(a="pass", b="raise SystemExit(1)") as supervisor:
        assert supervisor.wait(tick=0.01) == 1


def test_ctrl_c_ends_the_waiting(supervise, tmp_path):
    with supervise(a=OBEDIENT) as supervisor:
        wait_for(tmp_path / "a")
        timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        timer.start()
        assert supervisor.wait(tick=0.01) == 0
        timer.join()
    assert not supervisor.failed


@pytest.mark.parametrize(
    ("text", "status"), [(DEAF, -signal.SIGTERM), (STUBBORN, -signal.SIGKILL)]
)
def test_what_does_not_obey_is_made_to(supervise, tmp_path, monkeypatch, text, status):
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    with supervise(a=text) as supervisor:
        wait_for(tmp_path / "a")
    assert not supervisor.running
    assert supervisor.failed == {"a": status}


def test_ctrl_c_while_stopping_insists_and_leaves_nothing_behind(supervise, tmp_path):
    with supervise(a=DEAF) as supervisor:
        wait_for(tmp_path / "a")
        process = supervisor.running["a"]
        begun = time.monotonic()
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
        timer.start()
    timer.join()
    assert process.poll() == -signal.SIGTERM
    assert time.monotonic() - begun < processes.PATIENCE


def test_an_error_in_the_block_stops_the_processes(supervise, tmp_path):
    supervisor = supervise(a=OBEDIENT).__enter__()
    wait_for(tmp_path / "a")
    process = supervisor.running["a"]
    supervisor.__exit__(RuntimeError, RuntimeError("slip"), None)
    assert process.poll() == 0


def test_the_environment_of_the_user_goes_first(supervise, tmp_path, monkeypatch):
    monkeypatch.setenv("OURS", "user")
    text = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text("
    text += "os.environ['OURS'] + ' ' + os.environ['NEW'])"
    with supervise({"OURS": "plan", "NEW": "plan"}, a=text) as supervisor:
        assert supervisor.wait(tick=0.01) == 0
    assert (tmp_path / "a").read_text() == "user plan"


def test_a_program_that_is_not_installed_is_named_and_nothing_is_left(monkeypatch, tmp_path):
    def program(process):
        text = [sys.executable, "-c", OBEDIENT, str(tmp_path / "a")]
        return text if process.name == "a" else ["/no/such/rviz2"]

    monkeypatch.setattr(processes, "command", program)
    rviz = node("rviz2", executable="rviz2", package="rviz2")
    supervisor = Supervisor(Plan((node("a"), rviz)))
    text = "rviz2 must be installed; got no program /no/such/rviz2. Install the package rviz2"
    with pytest.raises(FileNotFoundError, match=text):
        supervisor.__enter__()
    assert not supervisor.running
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_the_supervisor_ends_its_nodes(tmp_path, number):
    """A node lives in a session of its own, so it does not hear of a closed terminal."""
    program = f"""
        import signal, sys
        from liquid_mono3d_ros import processes
        from liquid_mono3d_ros.plan import Plan, Process

        signal.signal({number:d}, signal.SIG_DFL)  # nohup leaves it ignored
        text = {OBEDIENT!r}
        processes.command = lambda process: [sys.executable, "-c", text, {str(tmp_path / "a")!r}]
        node = Process("a", "a", "", {{}}, (), (), "info")
        with processes.Supervisor(processes.Plan((node,))) as supervisor:
            print(supervisor.running["a"].pid, flush=True)
            supervisor.wait()
    """
    root = Path(__file__).parents[1]
    supervisor = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with supervisor:
        node_pid = int(supervisor.stdout.readline())
        wait_for(tmp_path / "a")
        supervisor.send_signal(number)
        assert supervisor.wait(30) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(node_pid, 0)
