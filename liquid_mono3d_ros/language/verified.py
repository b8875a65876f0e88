"""A backend whose words are held against the facts before anybody hears them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.backend import Backend, BackendFailure, check_deadline
from liquid_mono3d_ros.language.claims import split_sentences
from liquid_mono3d_ros.language.judgement import VerifierSettings
from liquid_mono3d_ros.language.prompt import clean_question, fill_numbers
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.verifier import CheckedSentence, check
from liquid_mono3d_ros.records import Description, Facts

ATTEMPTS = 2


class Unsupported(Exception):  # noqa: N818 - ends the writing, and is no error
    """A sentence claims what no fact supports: there is no use in writing on."""


class Verified:
    """Passes on what a backend says only if the facts support every claim of it.

    A text with one unsupported claim is refused whole. The backend is asked a second time, told
    what to avoid; then the template speaks. So it does when the backend fails or is late.

    Pieces are passed on sentence by sentence, each after it was verified. A refused text may so
    have begun to be heard: it was true as far as that, and the next one begins on a new line.

    Attributes:
        backend: Whose words are held against the facts.
        failures: Why the template spoke or a text was refused → how often.
    """

    def __init__(self, backend: Backend, settings: VerifierSettings | None = None) -> None:
        self.backend = backend
        self.settings = settings or VerifierSettings()
        self.failures: Counter[str] = Counter()
        self._template = TemplateBackend()

    @property
    def name(self) -> str:
        """Of the backend within."""
        return self.backend.name

    def load(self) -> None:
        """Get the backend ready."""
        self.backend.load()

    def reset(self) -> None:
        """Forget the counts."""
        self.failures.clear()

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
        """Write about one object; what is returned is verified, whoever wrote it."""
        if question is not None:
            question = clean_question(question)
        refused = list(avoid)
        for _ in range(ATTEMPTS):
            listener = _Listener(facts, question or "", self.settings, on_token)
            try:
                check_deadline(deadline)
                words = self.backend.describe(
                    facts,
                    tokens,
                    images,
                    question,
                    listener.hear,
                    deadline=deadline,
                    avoid=refused,
                )
                return listener.finish(words, refused)
            except Unsupported:
                self.failures["unsupported"] += 1
                refused += [one for one in listener.complaints if one not in refused]
            except BackendFailure as failure:
                self.failures[failure.reason] += 1
                break
            except (OSError, RuntimeError, ValueError) as error:
                self.failures[type(error).__name__] += 1
                break
            finally:
                listener.close()
        words = self._template.describe(facts, question=question, on_token=on_token)
        checked = check(words.text, facts, question=question or "", settings=self.settings)
        return replace(words, unsupported=tuple(refused), evidence=_evidence(checked))


class _Listener:
    """Gathers pieces into sentences, and passes on those that the facts support."""

    def __init__(
        self,
        facts: Facts,
        question: str,
        settings: VerifierSettings,
        on_token: Callable[[str], None] | None,
    ) -> None:
        self.facts = facts
        self.question = question
        self.settings = settings
        self.on_token = on_token
        self.complaints: list[str] = []
        self.passed: list[CheckedSentence] = []
        self.text = ""
        self._rest = ""
        self._finished = False

    def hear(self, piece: str) -> None:
        """Take a piece of text.

        Raises:
            Unsupported: If it ends a sentence that is not supported.
        """
        self._rest += piece
        spans = split_sentences(self._rest)
        if len(spans) > 1:
            begin = spans[-1][0]
            done, self._rest = self._rest[:begin], self._rest[begin:]
            self._pass_on(done)

    def finish(self, words: Description, refused: Sequence[str]) -> Description:
        """Take the rest, and return the whole if it is supported."""
        heard = self.text + self._rest
        if not heard:
            self._rest = words.text
        self._pass_on(self._rest)
        if not self.passed:
            raise BackendFailure("empty")
        self._finished = True
        return replace(
            words,
            text=self.text.strip(),
            facts=self.facts,
            verified=True,
            unsupported=tuple(refused),
            evidence=_evidence(self.passed),
        )

    def close(self) -> None:
        """End what was begun to be heard and not finished."""
        if self.passed and not self._finished and self.on_token is not None:
            self.on_token("\n")

    def _pass_on(self, text: str) -> None:
        filled = fill_numbers(text, self.facts)
        checked = check(filled, self.facts, question=self.question, settings=self.settings)
        for one in checked:
            if not one.supported:
                self.complaints = one.complaints(filled)
                raise Unsupported(*self.complaints)
            if any(one.sentence.text == said.sentence.text for said in self.passed):
                continue  # small models repeat themselves
            begin, end = one.sentence.span
            self.passed.append(one)
            piece = (" " if self.text else "") + filled[begin:end]
            self.text += piece
            if self.on_token is not None:
                self.on_token(piece)


def _evidence(checked: Sequence[CheckedSentence]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in checked for name in one.evidence))
