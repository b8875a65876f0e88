"""Requests → descriptions in time: a thread that writes, so that nobody waits for a model."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.language.backend import Backend
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.records import Description, Facts
from liquid_mono3d_ros.settings import Settings, setting


@dataclass(frozen=True)
class WriterSettings(Settings):
    """How long words may take, and who gives way to whom."""

    deadline: float = setting(
        4.0, "after this the template speaks in place of the model", unit="s", bounds=(0.1, 120.0)
    )
    niceness: int = setting(
        10, "added to that of the thread the model runs on: cameras come first", bounds=(0, 19)
    )


NEW_LINE = "\n"
"""Heard where the text begins anew."""


class Settled(Exception):  # noqa: N818 - ends the writing, and is no error
    """The request has its words, or wants none any more."""


@dataclass(eq=False)
class Request:
    """Words that somebody wants.

    Attributes:
        facts: On which they rest.
        tell: Called once with the words, from any thread, unless the request is cancelled,
            replaced or cleared.
        question: None asks for a description.
        images: Crops of the object, BGR.
        hear: Called with each piece of text, from any thread, before ``tell``; with ``NEW_LINE``
            where another text takes the place of what was heard.
        begun: On the clock of ``time.monotonic``, s.
    """

    facts: Facts
    tell: Callable[[Description], None]
    question: str | None = None
    images: Sequence[Array] = ()
    hear: Callable[[str], None] | None = None
    begun: float = field(default_factory=time.monotonic)
    settled: bool = field(default=False, init=False)


class Writer:
    """Writes with a model in one thread; what is not written in time, the template writes.

    Of each track one description waits, the newest; questions wait in turn and go first. While the
    model loads, has failed to, or is late with something else, the template speaks at once. A
    second thread watches the deadline, so that even a model that hangs leaves nobody waiting. Each
    request ends in its words or in ``counts``.

    Args:
        backend: The model, whose words are verified; None for the template alone, which then
            speaks at once, in the thread that asks.
        settings: How long words may take.

    Attributes:
        counts: Cause → how often. The template spoke: not_ready, busy, expired. Nothing was said:
            replaced, cleared, cancelled. The model's words came too late: discarded.
        trouble: What is wrong with the model and who speaks instead; empty when nothing is.
    """

    def __init__(self, backend: Backend | None, settings: WriterSettings | None = None) -> None:
        self.backend = backend
        self.settings = settings or WriterSettings()
        self.counts: Counter[str] = Counter()
        self.trouble = ""
        self._template = Verified(TemplateBackend())
        self._changed = threading.Condition()
        self._descriptions: OrderedDict[tuple[int, int], Request] = OrderedDict()
        self._questions: list[Request] = []
        self._current: Request | None = None
        self._threads: list[threading.Thread] = []
        self._ready = False
        self._run: object = None
        """Of the threads that may go on; those of an earlier start end when they see another."""

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._ready

    @property
    def waiting(self) -> int:
        """Requests that have no words yet."""
        with self._changed:
            return len(self._open())

    def start(self) -> None:
        """Load the model, and write from then on."""
        if self.backend is None or self._threads:
            return
        run = self._run = object()
        for work, *arguments in ((self._write_all, run, self.backend), (self._watch, run)):
            thread = threading.Thread(target=work, args=arguments, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """End the threads; a model that hangs is left to itself."""
        self.clear()
        with self._changed:
            self._run, self._ready = None, False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(patience)
        self._threads.clear()

    def clear(self) -> None:
        """Drop every request; what is being written is not told."""
        with self._changed:
            for request in self._open():
                self.counts["cleared"] += self._settle(request)

    def submit(self, request: Request) -> None:
        """Ask for words. They come at once if only the template can give them."""
        cause = ""
        with self._changed:
            if self.backend is None or not self._ready:
                cause = "not_ready"
            elif self._current is not None and self._current.settled:
                cause = "busy"  # with something that nobody waits for any more
            elif request.question is None:
                key = request.facts.epoch, request.facts.track_id
                if (older := self._descriptions.pop(key, None)) is not None:
                    self.counts["replaced"] += self._settle(older)
                self._descriptions[key] = request
            else:
                self._questions.append(request)
            if cause and self.backend is not None:
                self.counts[cause] += 1
            self._changed.notify_all()
        if cause:
            self._speak_instead(request)

    def cancel(self, request: Request) -> bool:
        """Want no words any more; return whether they had not come yet."""
        with self._changed:
            cancelled = self._settle(request)
            self.counts["cancelled"] += cancelled
            self._changed.notify_all()
        return cancelled

    def _open(self) -> list[Request]:
        current = [] if self._current is None else [self._current]
        every = [*current, *self._questions, *self._descriptions.values()]
        return [request for request in every if not request.settled]

    def _settle(self, request: Request) -> bool:
        """Close a request, under the lock; return whether it was open."""
        was_open = not request.settled
        request.settled = True
        return was_open

    def _write_all(self, run: object, backend: Backend) -> None:
        _give_way(self.settings.niceness)
        try:
            backend.load()
        except Exception as error:  # of any library: the node lives on, and says so
            self.trouble = f"{backend.name} cannot be used: {error} The template speaks instead."
            return
        with self._changed:
            self._ready = self._run is run
        while (request := self._next(run)) is not None:
            self._write(backend, request)
            with self._changed:
                self._current = None

    def _next(self, run: object) -> Request | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._run is not run or self._questions or self._descriptions
            )
            if self._run is not run:
                return None
            if self._questions:
                self._current = self._questions.pop(0)
            else:
                self._current = self._descriptions.popitem(last=False)[1]
            self._changed.notify_all()
            return self._current

    def _write(self, backend: Backend, request: Request) -> None:
        def hear(piece: str) -> None:
            if request.settled:
                raise Settled
            if request.hear is not None:
                request.hear(piece)

        if request.settled:
            return
        try:
            words = backend.describe(
                request.facts,
                images=request.images,
                question=request.question,
                on_token=hear,
                deadline=request.begun + self.settings.deadline,
            )
        except Settled:
            self.counts["discarded"] += 1
            return
        except Exception as error:  # of any library: the next request may go well
            self.trouble = f"{backend.name} failed: {error} The template spoke instead."
            self._speak_instead(request)
            return
        if self._tell(request, words):
            self._note(backend, words)

    def _note(self, backend: Backend, words: Description) -> None:
        """Remember whether the last words are the model's own."""
        reasons = ", ".join(f"{k} {n}" for k, n in getattr(backend, "failures", {}).items())
        own = words.backend == backend.name
        instead = f"{backend.name} gave no words ({reasons}). The template spoke instead."
        self.trouble = "" if own else instead

    def _watch(self, run: object) -> None:
        while True:
            with self._changed:
                if self._run is not run:
                    return
                now = time.monotonic()
                late = [r for r in self._open() if r.begun + self.settings.deadline <= now]
                if not late:
                    ends = [r.begun + self.settings.deadline for r in self._open()]
                    self._changed.wait(min(ends) - now if ends else None)
                    continue
                for request in late:
                    self._leave(request)
            for request in late:
                self.counts["expired"] += 1
                self.trouble = "The model is slow: the template speaks instead."
                self._speak_instead(request)

    def _leave(self, request: Request) -> None:
        """Take a request out of the queues."""
        if request in self._questions:
            self._questions.remove(request)
        self._descriptions = OrderedDict(
            (key, value) for key, value in self._descriptions.items() if value is not request
        )

    def _speak_instead(self, request: Request) -> None:
        if request.hear is not None:
            request.hear(NEW_LINE)
        words = self._template.describe(
            request.facts, question=request.question, on_token=request.hear
        )
        self._tell(request, words)

    def _tell(self, request: Request, words: Description) -> bool:
        """Tell the words, unless others were told; return whether they were."""
        with self._changed:
            if not self._settle(request):
                self.counts["discarded"] += 1
                return False
        request.tell(words)
        return True


def _give_way(niceness: int) -> None:
    """Lower the priority of this thread; those it starts, torch's for one, inherit it."""
    if sys.platform != "linux":
        return  # a thread has no priority of its own
    thread = os.PRIO_PROCESS, threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(*thread, min(os.getpriority(*thread) + niceness, 19))
