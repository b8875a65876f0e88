"""What can be said of the things in a rendered scene, and which stream shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stream = Literal["image", "3d", "joint"]

SHAPES = ("ball", "box", "triangle", "cross", "ring", "star")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
MARKINGS = ("plain", "striped", "dotted")
STRIPE_DIRECTIONS = ("level", "upright", "rising", "falling")
MOTIONS = ("line", "circle", "helix", "parabola", "turn", "stop-and-go", "bounce", "hover")
DIRECTIONS = ("forward", "backward", "left", "right", "up", "down")
"""Along +x, -x, +y, -y, +z, -z of the world (REP 103)."""


@dataclass(frozen=True)
class Attribute:
    """One thing that can be said of an object, or of two.

    Attributes:
        values: The words; a label is an index into them, -1 where the attribute does not apply.
        stream: Where it can be read: in the picture, in the 3D states, or only in both together.
        slot: Whether a head of its own is trained for it; without one, only what is made from the
            picture itself can know it.
        pair: Whether it is said of the two objects of a scene together.
    """

    values: tuple[str, ...]
    stream: Stream
    slot: bool = True
    pair: bool = False


ATTRIBUTES: dict[str, Attribute] = {
    "shape": Attribute(SHAPES, "image"),
    "colour": Attribute(COLOURS, "image"),
    "marking": Attribute(MARKINGS, "image"),
    "blinking": Attribute(("no", "yes"), "image"),
    "stripe_direction": Attribute(STRIPE_DIRECTIONS, "image", slot=False),
    "companion": Attribute(("absent", "present"), "image", slot=False),
    "passes_behind": Attribute(("no", "yes"), "image", slot=False),
    "motion": Attribute(MOTIONS, "3d"),
    "speed": Attribute(("slow", "medium", "fast"), "3d"),
    "direction": Attribute(DIRECTIONS, "3d"),
    "height": Attribute(("rises", "falls", "level"), "3d"),
    "size": Attribute(("small", "medium", "large"), "joint"),
    "flash": Attribute(("at the apex", "elsewhere"), "joint"),
    "nearer_colour": Attribute(COLOURS, "joint", pair=True),
    "faster_colour": Attribute(COLOURS, "joint", pair=True),
    "rising_colour": Attribute(COLOURS, "joint", pair=True),
}
"""Every attribute by name."""
