"""The ``liquid-mono3d`` command: one module for each verb."""
