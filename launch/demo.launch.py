"""The road on a recorded or synthetic rig, with a player in place of cameras.

ros2 launch liquid_mono3d demo.launch.py rviz:=true loop:=0
"""

from launch import LaunchDescription

from liquid_mono3d_ros.arguments import DEMO, PIPELINE, plan_demo
from liquid_mono3d_ros.nodes.launching import declare, start


def generate_launch_description():
    arguments = PIPELINE + DEMO
    return LaunchDescription([*declare(arguments), start(plan_demo, arguments)])
