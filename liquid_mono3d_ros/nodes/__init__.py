"""ROS 2 nodes: one process each, thin around the core; the only folder that imports ROS."""
