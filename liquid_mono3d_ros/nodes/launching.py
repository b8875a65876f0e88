"""Plans → actions of ROS 2 launch; the launch files hold nothing but the names of their plans."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from launch import Action, LaunchContext
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace

from liquid_mono3d_ros.arguments import Argument
from liquid_mono3d_ros.plan import Plan, Process


def declare(arguments: Iterable[Argument]) -> list[DeclareLaunchArgument]:
    """Declare each argument with its description and choices."""
    return [
        DeclareLaunchArgument(
            argument.name,
            default_value=argument.default,
            description=argument.about,
            choices=list(argument.choices) or None,
        )
        for argument in arguments
    ]


def start(
    plan: Callable[[Mapping[str, str]], Plan], arguments: Iterable[Argument]
) -> OpaqueFunction:
    """Read the arguments when launch knows them, and start the plan's processes."""

    def actions(context: LaunchContext) -> list[Action]:
        given = {
            argument.name: LaunchConfiguration(argument.name).perform(context)
            for argument in arguments
        }
        planned = plan(given)
        environment = [
            SetEnvironmentVariable(name, value)
            for name, value in planned.environment.items()
            if name not in os.environ
        ]
        nodes = [node(process) for process in planned.processes]
        return [GroupAction([*environment, PushRosNamespace(given["namespace"]), *nodes])]

    return OpaqueFunction(function=actions)


def node(process: Process) -> Node:
    """Return the launch action of one process; its namespace is the group's.

    With the player everything ends: what it played is over, and the others close their files.
    """
    ended = [Shutdown(reason="the recording has been played")]
    return Node(
        package=process.package,
        executable=process.executable,
        name=process.name,
        parameters=[*process.params_files, dict(process.parameters)],
        remappings=list(process.remappings),
        arguments=list(process.arguments),
        ros_arguments=["--log-level", process.log_level],
        output="screen",
        emulate_tty=True,
        on_exit=ended if process.executable == "player" else None,
    )
