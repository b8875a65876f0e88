"""Starts a plan's processes, watches them and stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import FrameType, TracebackType

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.plan import Plan, Process

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Treated as Ctrl-C: whoever ends this process must not leave the nodes behind."""
PATIENCE = 10.0
"""Seconds a process gets to end after Ctrl-C, and again after SIGTERM."""


def command(process: Process) -> list[str]:
    """Return the command line that starts a node with this Python.

    Example:
        >>> node = Process("tracking", "tracking", "a", {"cameras": ["l"]}, (), (), "info")
        >>> " ".join(command(node)[3:])
        '--ros-args -r __node:=tracking -r __ns:=/a -p cameras:=["l"] --log-level info'
    """
    if process.package != "liquid_mono3d":
        words = [process.executable, *process.arguments]
    else:
        words = [sys.executable, "-m", f"liquid_mono3d_ros.nodes.{process.executable}"]
    words += ["--ros-args", "-r", f"__node:={process.name}"]
    if process.namespace:
        words += ["-r", f"__ns:=/{process.namespace.strip('/')}"]
    for path in process.params_files:
        words += ["--params-file", path]
    for name, value in process.parameters.items():
        words += ["-p", f"{name}:={json.dumps(value)}"]
    for own, other in process.remappings:
        words += ["-r", f"{own}:={other}"]
    return [*words, "--log-level", process.log_level]


class Supervisor:
    """Runs the processes of a plan; leaving its ``with`` block stops them all."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.failed: dict[str, int] = {}

    def __enter__(self) -> Supervisor:
        self._replaced = [n for n in ENDINGS if signal.getsignal(n) == signal.SIG_DFL]
        for number in self._replaced:
            signal.signal(number, _interrupt)
        environment = {**self.plan.environment, **os.environ}
        try:
            for process in self.plan.processes:
                self.running[process.name] = _start(process, environment)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for number in self._replaced:
            signal.signal(number, signal.SIG_DFL)

    def wait(self, until: str | None = None, tick: float = 0.1) -> int:
        """Wait for Ctrl-C, for the end of ``until``, or for the end of all; return the status.

        A node that fails is named; the others go on.
        """
        try:
            while self.running:
                self.look()
                if until is not None and until not in self.running:
                    break
                time.sleep(tick)
        except KeyboardInterrupt:
            pass
        return 1 if self.failed else 0

    def look(self) -> None:
        """Note which processes have ended."""
        for name, process in list(self.running.items()):
            status = process.poll()
            if status is None:
                continue
            del self.running[name]
            if status:
                self.failed[name] = status
                print(f"{name} ended with status {status}; its sentence is above", file=sys.stderr)

    def stop(self) -> None:
        """Ask every process to end, then insist; Ctrl-C meanwhile insists sooner."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            try:
                for process in self.running.values():
                    process.send_signal(number)
                deadline = time.monotonic() + PATIENCE
                while self.running and time.monotonic() < deadline:
                    self.look()
                    time.sleep(0.02)
            except KeyboardInterrupt:
                continue


def _start(process: Process, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        # A session of its own: Ctrl-C reaches a node once, from us.
        return subprocess.Popen(command(process), env=environment, start_new_session=True)
    except FileNotFoundError as error:
        cure = f"Install the package {process.package}, or leave {process.name} out."
        got = f"no program {error.filename}"
        raise FileNotFoundError(complain(process.name, "installed", got, cure)) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
