"""``liquid-mono3d docs [--check]``: writes the generated files of config/ and docs/."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from liquid_mono3d_ros.arguments import DEMO, PIPELINE, Argument
from liquid_mono3d_ros.bench.report import tables
from liquid_mono3d_ros.graph import ACTIONS, NODES, QUALITIES, SERVICES, TOPICS
from liquid_mono3d_ros.plan import plan_demo, plan_pipeline
from liquid_mono3d_ros.settings import Setting

ROOT = Path(__file__).resolve().parents[2]
NOTE = "Written by `liquid-mono3d docs`; edit {} instead."
WIDTH = 99


def main(arguments: Sequence[str]) -> int:
    """Write what differs from the code and name it; with ``--check`` only name it and return 1."""
    parser = argparse.ArgumentParser(prog="liquid-mono3d docs")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file is stale")
    given = parser.parse_args(arguments)
    if not (ROOT / "package.xml").is_file():
        got = f"got an installed copy in {ROOT}. Clone the repository."
        raise FileNotFoundError(f"the package must be a checkout; {got}")
    stale = {name: text for name, write in DOCUMENTS.items() if (text := write()) != _read(name)}
    for name, text in stale.items():
        if not given.check:
            (ROOT / name).write_text(text, encoding="utf-8")
        print(f"{name} {'is stale' if given.check else 'written'}")
    return 1 if given.check and stale else 0


def parameters_file() -> str:
    """Return ``config/pipeline.yaml``: every parameter that no launch argument decides."""
    intro = (
        f"{NOTE.format('the settings in liquid_mono3d_ros/')} To change values, give the launch "
        "files a params_file with the same sections; what it leaves out keeps the default. A "
        "section holds for the node of that name in every namespace. A list that is empty by "
        "default is commented out: YAML cannot say what an empty list is a list of."
    )
    blocks = [_comment(intro)]
    for node in NODES.values():
        owned = set_by_launch(node.name)
        lines = [_yaml(leaf) for leaf in node.settings.leaves() if leaf.name not in owned]
        if lines:  # ROS refuses an empty section
            lines.insert(0, f"/**/{node.name}:\n  ros__parameters:")
        about = f"{node.name}: {node.about}. Set by the launch arguments: {', '.join(owned)}."
        blocks.append("\n".join([_comment(about), *lines]))
    return _page(*blocks)


def parameters() -> str:
    """Return ``docs/parameters.md``: a table for each node."""
    parts = []
    header = ("parameter", "type", "default", "unit", "allowed", "live", "what it does")
    for node in NODES.values():
        rows = [
            (
                f"`{leaf.name}`",
                _type(leaf),
                f"`{_value(leaf.default)}`",
                leaf.unit,
                _allowed(leaf),
                "yes" if leaf.live else "",
                leaf.reason,
            )
            for leaf in node.settings.leaves()
        ]
        parts += [f"## {node.name}", f"It {node.about}.", _table(header, rows)]
    return _page(
        "# Parameters",
        NOTE.format("the settings in `liquid_mono3d_ros/`"),
        "`ros2 param describe NODE PARAMETER` says the same. A parameter that is not *live* is\n"
        "read once, when its node is configured. A wrong value or an unknown name stops the node\n"
        "with a sentence and exit status 1; a wrong live change is refused.",
        "The quality of any topic can be overridden with\n"
        "`qos_overrides.TOPIC.publisher.reliability` and the like, TOPIC being the name after\n"
        "namespace and remapping.",
        *parts,
    )


def topics() -> str:
    """Return ``docs/topics.md``: topics with types, qualities and both ends, services, actions."""
    ends = [
        (
            f"`{topic.name}`",
            f"`{topic.type}`",
            topic.quality,
            _words(n.name for n in NODES.values() if topic.name in n.publishes) or "your detector",
            _words(n.name for n in NODES.values() if topic.name in n.subscribes) or "you",
            topic.about,
        )
        for topic in TOPICS.values()
    ]
    services = [
        (f"`{name}`", f"`{kind}`", _offered_by(name), about)
        for name, (kind, about) in SERVICES.items()
    ]
    actions = [
        (f"`{name}`", f"`{kind}`", _offered_by(name), about)
        for name, (kind, about) in ACTIONS.items()
    ]
    return _page(
        "# Topics",
        NOTE.format("`liquid_mono3d_ros/graph.py`"),
        "Names are relative to the namespace of the nodes and can be remapped; `{camera}` stands\n"
        "for each camera, `{slot}` for 0, 1, … below `track_slots`. On a robot, the cameras'\n"
        "drivers take the player's place.",
        _table(("topic", "type", "quality", "from", "to", "what it carries"), ends),
        "## Qualities",
        _table(("quality", "QoS"), QUALITIES.items()),
        "A publisher may offer more than the quality of its topic asks for: the player sends\n"
        "`{camera}/camera_info` latched, and `{camera}/image_raw` and `/clock` reliably.",
        "## Services",
        _table(("service", "type", "of", "what it does"), services),
        "## Actions",
        _table(("action", "type", "of", "what it does"), actions),
    )


def _offered_by(name: str) -> str:
    """Return the nodes that have a service or an action."""
    names = [node.name for node in NODES.values() if name in (*node.services, *node.actions)]
    return "every node" if len(names) == len(NODES) else _words(names)


def launch_arguments() -> str:
    """Return ``docs/arguments.md``: the arguments of the two launch files."""
    header = ("argument", "default", "choices", "what it says")

    def row(argument: Argument) -> tuple[str, ...]:
        default = f"`{argument.default}`" if argument.default else ""
        return f"`{argument.name}`", default, _words(argument.choices), argument.about

    return _page(
        "# Launch arguments",
        NOTE.format("`liquid_mono3d_ros/arguments.py`"),
        "They are the same for `ros2 launch liquid_mono3d pipeline.launch.py NAME:=VALUE` and,\n"
        "without launch, for `liquid-mono3d up NAME:=VALUE`. An argument without a default is\n"
        "not used, or leaves the matter to the parameters file.",
        "## pipeline.launch.py",
        _table(header, map(row, PIPELINE)),
        "## demo.launch.py",
        "All of the above, and these; without launch, `liquid-mono3d up demo NAME:=VALUE`.",
        _table(header, map(row, DEMO)),
    )


def messages() -> str:
    """Return ``docs/messages.md``: the message definitions, which explain every field."""
    paths = (*sorted(ROOT.glob("msg/*.msg")), *sorted(ROOT.glob("action/*.action")))
    blocks = [
        f"## {path.stem}\n\n```\n{path.read_text(encoding='utf-8').strip()}\n```" for path in paths
    ]
    return _page("# Messages", NOTE.format("`msg/` and `action/`"), *blocks)


def benchmarks() -> str:
    """Return ``docs/benchmarks.md``: the reports in ``docs/bench/``, as they were measured."""
    parts = []
    for path in sorted((ROOT / "docs/bench").glob("*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
        machine = report["machine"]
        parts += [
            f"## {report['bench']}",
            f"`{report['command']} --json docs/bench/{path.name}`, on "
            f"{machine['cores']} cores of {machine['processor']}; {versions}.",
            tables(report),
        ]
    intro = "Written by `liquid-mono3d docs` from the reports in `docs/bench/`, losses included."
    return _page("# Benchmarks", intro, *parts)


DOCUMENTS: dict[str, Callable[[], str]] = {
    "config/pipeline.yaml": parameters_file,
    "docs/topics.md": topics,
    "docs/parameters.md": parameters,
    "docs/arguments.md": launch_arguments,
    "docs/messages.md": messages,
    "docs/benchmarks.md": benchmarks,
}


def set_by_launch(node: str) -> list[str]:
    """Return the parameters that the launch files always set, so that a file cannot."""
    road = plan_pipeline({"cameras": "left,right"})
    demo = plan_demo({"probe": "FILE", "record": "FILE"})
    processes = {process.executable: process for process in (*demo.processes, *road.processes)}
    return [name for name in processes[node].parameters if name != "use_sim_time"]


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _yaml(leaf: Setting) -> str:
    limits = "; ".join(filter(None, (leaf.unit, _allowed(leaf))))
    about = f"{leaf.reason} [{limits}]" if limits else leaf.reason
    hidden = "# " if leaf.default == () else ""
    return f"{_comment(about, '    ')}\n    {hidden}{leaf.name}: {_value(leaf.default)}"


def _comment(text: str, indent: str = "") -> str:
    begin = f"{indent}# "
    return textwrap.fill(
        text, WIDTH, initial_indent=begin, subsequent_indent=begin, break_on_hyphens=False
    )


def _value(value: Any) -> str:
    """Return a value as YAML that ROS and PyYAML read alike: 1.0e-06, for 1e-06 is text."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and "." not in repr(value):
        return repr(value).replace("e", ".0e")
    return json.dumps(value, ensure_ascii=False)


def _type(leaf: Setting) -> str:
    if isinstance(leaf.default, tuple):
        return "string array" if leaf.words else "double array"
    return {bool: "bool", int: "integer", float: "double", str: "string"}[type(leaf.default)]


def _allowed(leaf: Setting) -> str:
    if leaf.bounds:
        return f"{leaf.bounds[0]:.10g} to {leaf.bounds[1]:.10g}"
    return _words(leaf.choices or ())


def _words(words: Iterable[str]) -> str:
    return ", ".join(filter(None, words))


def _table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", r"\|").replace("<", r"\<") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _page(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"
