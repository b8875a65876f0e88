"""``liquid-mono3d up NAME:=VALUE ...``: the launch files' processes without launch."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from liquid_mono3d_ros.arguments import DEMO, PIPELINE, Argument
from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.plan import plan_demo, plan_pipeline
from liquid_mono3d_ros.processes import Supervisor

USAGE = """\
liquid-mono3d up [demo] NAME:=VALUE ...

Starts the processes of pipeline.launch.py (with `demo`: of demo.launch.py) and stops them on
Ctrl-C. Arguments:
"""


def main(arguments: Sequence[str]) -> int:
    """Start the processes and wait for them."""
    demo = "demo" in arguments[:1]
    words = list(arguments[1:] if demo else arguments)
    known = PIPELINE + DEMO if demo else PIPELINE
    if {"-h", "--help", "-s"} & set(words):
        print(USAGE + describe(known))
        return 0
    given = parse(words)
    plan = plan_demo(given) if demo else plan_pipeline(given)
    with Supervisor(plan) as supervisor:
        status = supervisor.wait(until="player" if demo else None)
    return status


def parse(words: Sequence[str]) -> dict[str, str]:
    """Return NAME:=VALUE words as a mapping.

    Raises:
        ValueError: If a word has another form.
    """
    given = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            cure = "For example left:=/stereo/left/image_rect."
            raise ValueError(complain("argument", "NAME:=VALUE", repr(word), cure))
        given[name] = value
    return given


def describe(arguments: Sequence[Argument]) -> str:
    """Return one line for each argument."""
    lines = []
    for argument in arguments:
        choices = f" ({', '.join(filter(None, argument.choices))})" if argument.choices else ""
        default = f" [{argument.default}]" if argument.default else ""
        lines.append(f"  {argument.name}: {argument.about}{choices}{default}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
