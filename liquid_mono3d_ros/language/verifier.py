"""Text × facts → verdicts: what stands between words and world."""

from __future__ import annotations

from dataclasses import dataclass

from liquid_mono3d_ros.language.claim import Claim
from liquid_mono3d_ros.language.claims import Sentence, read_sentences
from liquid_mono3d_ros.language.judgement import Status, Verdict, VerifierSettings, judge
from liquid_mono3d_ros.records import Facts


@dataclass(frozen=True)
class CheckedSentence:
    """A sentence with a verdict on each of its claims."""

    sentence: Sentence
    verdicts: tuple[Verdict, ...]

    @property
    def supported(self) -> bool:
        """Whether it claims something, and the facts support all of it."""
        return bool(self.verdicts) and all(
            verdict.status is Status.SUPPORTED for verdict in self.verdicts
        )

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of the facts behind it, each once."""
        return tuple(dict.fromkeys(name for v in self.verdicts for name in v.evidence))

    def complaints(self, text: str) -> list[str]:
        """Return what is not supported, as "contradicted: red" with the words of the text."""
        if not self.verdicts:
            return [f"unsupported: {self.sentence.text}"]
        wrong = (v for v in self.verdicts if v.status is not Status.SUPPORTED)
        return [
            f"{v.status.value}: {text[slice(*v.claim.span)] or self.sentence.text}" for v in wrong
        ]


def check(
    text: str, facts: Facts, *, question: str = "", settings: VerifierSettings | None = None
) -> list[CheckedSentence]:
    """Hold each claim of a text against the facts.

    A fact that is not known supports nothing. A sentence without a claim that is understood is not
    supported; "that is not known" is, unless it names something that is.

    Args:
        text: Written by anyone.
        facts: All that may be claimed.
        question: What "yes" and "no" answer.
        settings: How far a claim may be from its fact.
    """
    settings = settings or VerifierSettings()
    names = _names(facts)
    asked = [claim for one in read_sentences(question, names) for claim in one.claims]
    checked = []
    for sentence in read_sentences(text, names):
        others = [claim for claim in sentence.claims if claim.attribute != "answer"]
        verdicts = tuple(
            _judge_answer(claim, asked, others, facts, settings)
            if claim.attribute == "answer"
            else judge(claim, facts, settings)
            for claim in sentence.claims
        )
        if sentence.text.endswith("?"):
            verdicts = ()
        checked.append(CheckedSentence(sentence, verdicts))
    return checked


def _judge_answer(
    claim: Claim, asked: list[Claim], others: list[Claim], facts: Facts, settings: VerifierSettings
) -> Verdict:
    """Judge "yes" and "no".

    Yes says all that the question claims; no, that some of it is wrong. English leaves open what
    they say to "is it not red?": there they count for nothing, and what follows them must be said.
    """
    if any(not one.sense for one in asked):
        status = Status.SUPPORTED if others else Status.UNSUPPORTED
        return Verdict(claim, status)
    verdicts = [judge(one, facts, settings) for one in asked]
    if not verdicts or any(verdict.status is Status.UNSUPPORTED for verdict in verdicts):
        return Verdict(claim, Status.UNSUPPORTED)
    every = all(verdict.status is Status.SUPPORTED for verdict in verdicts)
    evidence = tuple(name for verdict in verdicts for name in verdict.evidence)
    right = every is (claim.value == "yes")
    return Verdict(claim, Status.SUPPORTED if right else Status.CONTRADICTED, evidence)


def _names(facts: Facts) -> dict[str, str]:
    """Return the words of the facts themselves, which a lexicon need not hold."""
    names = ("marking", "colour", "shape", "object_class")
    return {
        getattr(facts, name).value.lower(): name for name in names if getattr(facts, name).known
    }
