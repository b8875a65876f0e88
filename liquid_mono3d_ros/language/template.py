"""Words without a model: one sentence per known fact, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.answer import answer
from liquid_mono3d_ros.language.sentences import (
    say_appearance,
    say_blinking,
    say_direction,
    say_events,
    say_height,
    say_motion,
    say_persistence,
    say_places,
    say_prediction,
    say_rigidity,
    say_seen,
    say_sight,
    say_size,
    say_speed,
)
from liquid_mono3d_ros.records import Description, Facts


class TemplateBackend:
    """States the known facts in plain English, in under a millisecond.

    Every number is a fact, rounded to what its sigma supports. Facts that are not known are not
    spoken of. A question is answered with the sentences on the subjects it names, or with "That is
    not known."
    """

    name = "template"

    def load(self) -> None:
        """There is nothing to read."""

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
        """Write about one object; only the facts and the question are read."""
        text = write(facts) if question is None else answer(facts, question)
        if on_token is not None:
            on_token(text)
        return Description(text=text, backend=self.name, facts=facts, verified=True)


def write(facts: Facts) -> str:
    """Write every sentence that the facts support; the first names the object."""
    sentences = (
        say_seen(facts),
        say_appearance(facts),
        say_size(facts),
        say_rigidity(facts),
        say_blinking(facts) if facts.blinking.value == "yes" else "",
        say_persistence(facts),
        say_motion(facts),
        say_direction(facts),
        say_height(facts),
        say_speed(facts),
        say_events(facts),
        say_sight(facts) if facts.num_gaps.known and facts.num_gaps.value else "",
        say_places(facts),
        say_prediction(facts),
    )
    return " ".join(sentence for sentence in sentences if sentence)
