"""Images of a board, or sightings of moving objects → Rig.

``boards`` (corners) → ``intrinsics`` (each camera) → ``extrinsics`` (all of them together) →
``quality`` (how good that is). ``gathering`` (tracks at common times) → ``suspicion`` (who
disagrees) → ``pose_problem`` → ``refinement`` (who moved). ``projection`` and ``adjustment``
carry both; ``inspection`` judges a rig.
"""
