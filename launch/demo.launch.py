"""The road on a recorded or synthetic rig, with a player in place of cameras.

ros2 launch liquid_mono3d demo.launch.py rviz:=true loop:=0
"""

from launch import LaunchDescription

from liquid_mono3d_ros.arguments import DEMO, PIPELINE
from liquid_mono3d_ros.nodes.launching import declare, start
from liquid_mono3d_ros.plan import plan_demo


def generate_launch_description():
    arguments = PIPELINE + DEMO
    return LaunchDescription([*declare(arguments), start(plan_demo, arguments)])
