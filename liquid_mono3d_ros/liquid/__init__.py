"""Points3D → Trajectories.

measurement → motion → covariance → bank → experts → advice → guidance → lifecycle → smoother →
trajectory_filter.
"""
