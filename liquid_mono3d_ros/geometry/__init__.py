"""Tracks2D of N cameras → Points3D.

``rig`` (calibration) → ``timing`` (tracks at a common time) → ``view`` (undistorted) →
``association`` (which tracks are one object) → ``triangulation`` (where it is, how well known);
``triangulator`` walks this road and remembers, ``health`` says which camera is to blame.
"""
