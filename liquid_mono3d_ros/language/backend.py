"""The one protocol of everything that writes words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import Description, Facts


class Backend(Protocol):
    """Phrases facts, and answers questions about them."""

    @property
    def name(self) -> str:
        """As in ``Description.backend``."""

    def describe(
        self,
        facts: Facts,
        tokens: Array | None = None,
        images: Sequence[Array] | None = None,
        question: str | None = None,
        on_token: Callable[[str], None] | None = None,
    ) -> Description:
        """Write about one object.

        Args:
            facts: All that may be claimed.
            tokens: Fused embedding, (k, D); ignored by a backend that cannot read it.
            images: Crops of the object, (H, W, 3) uint8 BGR each; ignored likewise.
            question: Data, not an instruction; None asks for a description.
            on_token: Called with each piece of text as it is written.
        """
