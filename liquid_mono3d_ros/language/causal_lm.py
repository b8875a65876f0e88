"""A causal language model that reads fused tokens, facts, or both, and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.backend import BackendFailure
from liquid_mono3d_ros.language.claims import split_sentences
from liquid_mono3d_ros.language.language_model import LanguageModel
from liquid_mono3d_ros.language.prompt import (
    CAPTION_EXAMPLES,
    FACTS,
    QUESTION,
    QUESTION_EXAMPLES,
    SENTENCES,
    TOKENS,
    list_facts,
)
from liquid_mono3d_ros.language.template import write
from liquid_mono3d_ros.records import Description, Facts
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class CausalSettings(Settings):
    """How a causal language model is asked."""

    weights: str = setting(
        "smollm2", "directory of the model, or the name of one that was fetched"
    )
    threads: int = setting(
        1, "of torch, in the whole process; 0 leaves them as they are", bounds=(0, 64)
    )
    max_new_tokens: int = setting(64, "longest text", bounds=(1, 2048))
    stop: str = setting("\n", "ends a text; empty: only the model does")
    retry_temperature: float = setting(
        0.7,
        "of the second attempt, drawn with a fixed seed; the first is greedy",
        bounds=(0.0, 2.0),
    )
    caption: str = setting(
        f"Object: {TOKENS}\nText:", "prompt of a description: {tokens}, {facts}, {sentences}"
    )
    question: str = setting(
        f"Object: {TOKENS}\nQuestion: {QUESTION}\nAnswer:",
        "prompt of an answer: {tokens}, {facts}, {sentences}, {question}",
    )


@dataclass(frozen=True)
class FactsSettings(CausalSettings):
    """How a causal language model is asked about facts in words, after a few examples."""

    caption: str = setting(
        f"{CAPTION_EXAMPLES}Notes: {SENTENCES}\nSummary:",
        "prompt of a description: {facts}, {sentences}",
    )
    question: str = setting(
        f"{QUESTION_EXAMPLES}Notes: {SENTENCES}\nQuestion: {QUESTION}\nAnswer:",
        "prompt of an answer: {facts}, {sentences}, {question}",
    )


class CausalBackend:
    """Writes with a language model, from fused tokens put between the words of its prompt.

    Numbers may be left to the facts: ``[path_length]`` in the model's text is filled in later.
    """

    name = "causal_lm"

    def __init__(self, settings: CausalSettings | None = None) -> None:
        self.settings = settings or CausalSettings()
        self.model: LanguageModel | None = None

    def load(self) -> None:
        """Read the weights and the beginning of each prompt, and write one token."""
        self._loaded()

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
        """Write about one object; a text that is cut off ends with its last whole sentence."""
        settings = self.settings
        prompt = settings.caption if question is None else settings.question
        if TOKENS in prompt and tokens is None:
            raise BackendFailure("no_tokens", "the prompt holds {tokens}, and there are none")
        model = self._loaded()
        text, ended = model.write(
            fill_prompt(prompt, facts, tokens, question or ""),
            max_new_tokens=settings.max_new_tokens,
            stop=settings.stop,
            on_token=on_token,
            deadline=deadline,
            temperature=settings.retry_temperature if avoid else 0.0,
        )
        if not ended:
            text = _whole_sentences(text)
        return Description(text.strip(), self.name, facts, model_hash=model.hash)

    def _loaded(self) -> LanguageModel:
        if self.model is None:
            settings = self.settings
            model = LanguageModel.load(find_weights(settings.weights), threads=settings.threads)
            for prompt in dict.fromkeys((settings.caption, settings.question)):
                if prefix := prompt_prefix(prompt):
                    model.keep(prefix)
            model.write(["Text:"], max_new_tokens=1)
            self.model = model
        return self.model


class FactsBackend(CausalBackend):
    """Writes with a language model that is shown the facts as text, after a few examples."""

    name = "facts_llm"

    def __init__(self, settings: FactsSettings | None = None) -> None:
        super().__init__(settings or FactsSettings())


def fill_prompt(
    prompt: str, facts: Facts, tokens: Array | None, question: str
) -> list[str | Array]:
    """Return the pieces of a prompt; what is filled in is never searched for marks."""
    pieces: list[str | Array] = []
    text = ""
    for part in _parts(prompt):
        if part == TOKENS and tokens is not None:
            pieces += [text, tokens]
            text = ""
        elif part == FACTS:
            text += list_facts(facts)
        elif part == SENTENCES:
            text += write(facts)
        else:
            text += question if part == QUESTION else part
    return [*pieces, text]


def prompt_prefix(prompt: str) -> str:
    r"""Return what a prompt begins with, whatever is filled in, up to the end of its line.

    Example:
        >>> prompt_prefix("An example.\n\nFacts: {facts}")
        'An example.\n\n'
    """
    constant = _parts(prompt)[0]
    return constant[: constant.rfind("\n") + 1] if constant != prompt else constant


def _parts(prompt: str) -> list[str]:
    """Split a prompt at its marks, which are parts of their own; the first is text."""
    parts = [prompt]
    for mark in (TOKENS, FACTS, SENTENCES, QUESTION):
        split: list[str] = []
        for part in parts:
            first, *rest = part.split(mark) if part != mark else [part]
            split += [first, *(piece for one in rest for piece in (mark, one))]
        parts = split
    return parts


def _whole_sentences(text: str) -> str:
    spans = split_sentences(text)
    if spans and text[spans[-1][1] - 1] not in ".!?" and len(spans) > 1:
        return text[: spans[-2][1]]
    return text


def weights_cache() -> Path:
    """Return where fetched weights are kept: ``liquid_mono3d/weights`` in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "liquid_mono3d" / "weights"


def find_weights(weights: str) -> Path:
    """Return the directory of a model: as given, or of that name among those fetched."""
    path = Path(weights).expanduser()
    return path if path.is_dir() else weights_cache() / weights
