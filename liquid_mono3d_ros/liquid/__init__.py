"""Points3D → Trajectories.

measurement → motion → bank → experts → advice → guidance → lifecycle → smoother →
trajectory_filter.
"""
