"""Trajectories → facts → words."""
