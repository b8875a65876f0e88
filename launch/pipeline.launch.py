r"""The road: cameras → tracks → points → trajectories → words.

ros2 launch liquid_mono3d pipeline.launch.py left:=/stereo/left/image_rect \
    right:=/stereo/right/image_rect rectified:=true extrinsics:=camera_info
"""

from launch import LaunchDescription

from liquid_mono3d_ros.arguments import PIPELINE
from liquid_mono3d_ros.nodes.launching import declare, start
from liquid_mono3d_ros.plan import plan_pipeline


def generate_launch_description():
    return LaunchDescription([*declare(PIPELINE), start(plan_pipeline, PIPELINE)])
