"""The one protocol of everything that writes words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.records import Description, Facts


class BackendFailure(RuntimeError):  # noqa: N818 - says what happened
    """A backend has no words; ``reason`` is one word to count by, and holds nothing secret."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Backend(Protocol):
    """Phrases facts, and answers questions about them."""

    @property
    def name(self) -> str:
        """As in ``Description.backend``."""

    def load(self) -> None:
        """Get ready: read weights and warm up. Without it the first text does so.

        Raises:
            OSError: If the weights are not there; the text says how to get them.
            ImportError: If a package is missing.
        """

    def describe(
        self,
        facts: Facts,
        tokens: Array | None = None,
        images: Sequence[Array] | None = None,
        question: str | None = None,
        on_token: Callable[[str], None] | None = None,
        *,
        deadline: float | None = None,
        avoid: Sequence[str] = (),
    ) -> Description:
        """Write about one object.

        Args:
            facts: All that may be claimed.
            tokens: Fused embedding, (k, D); ignored by a backend that cannot read it.
            images: Crops of the object, (H, W, 3) uint8 BGR each; ignored likewise.
            question: Data, not an instruction; None asks for a description.
            on_token: Called with each piece of text as it is written. What it raises ends the
                writing and comes out of here.
            deadline: When the text is of no more use, on the clock of ``time.monotonic``, s.
            avoid: What an earlier text claimed without support; not empty asks for another text.

        Raises:
            BackendFailure: If there are no words, or not in time.
        """


def check_deadline(deadline: float | None) -> None:
    """Raise BackendFailure once the deadline has passed."""
    if deadline is not None and time.monotonic() > deadline:
        raise BackendFailure("deadline")
