"""Points3D → Trajectories.

measurement → motion → bank → lifecycle → smoother → trajectory_filter.
"""
