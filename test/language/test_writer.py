"""Words in time: nobody waits for a model that is slow, late, broken or not there."""

import os
import sys
import threading
import time
from dataclasses import replace

import pytest

from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.language.writer import NEW_LINE, Request, Writer, WriterSettings
from liquid_mono3d_ros.records import Description, Facts, Label, Quantity

RED = Facts(9, "map", 3, 0, 1, 9, colour=Label("red", 1.0), duration=Quantity(2.0, 0.0))


class Model:
    """Writes when it is let; remembers what it was asked."""

    name = "model"

    def __init__(self, text="It is red.", *, failure=None, missing=None):
        self.text = text
        self.failure = failure
        self.missing = missing
        self.gate = threading.Event()
        self.gate.set()
        self.loading = threading.Event()
        self.loading.set()
        self.asked = []
        self.thread = None

    def load(self):
        self.loading.wait(20)
        self.thread = threading.get_native_id()
        if self.missing:
            raise self.missing

    def describe(self, facts, tokens=None, images=None, question=None, on_token=None, **_):
        self.asked.append((facts.track_id, facts.stamp, question))
        on_token(self.text[:3])
        self.gate.wait(20)
        if self.failure:
            raise self.failure
        on_token(self.text[3:])
        return Description(self.text, self.name, facts, verified=True, evidence=("colour",))


class Ear:
    """Asks and listens."""

    def __init__(self, writer):
        self.writer = writer
        self.told = []

    def ask(self, facts=RED, **how):
        request = Request(facts, self.told.append, **how)
        self.writer.submit(request)
        return request

    def wait(self, number):
        until(lambda: len(self.told) >= number)
        return [words.backend for words in self.told]


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


@pytest.fixture
def started():
    writers = []

    def start(model, *, ready=True, **settings):
        writer = Writer(model, WriterSettings(**settings))
        writers.append((writer, model))
        writer.start()
        if ready:
            until(lambda: writer.ready)
        return writer, Ear(writer)

    yield start
    for writer, model in writers:
        model = getattr(model, "backend", model)
        model.gate.set()
        model.loading.set()
        writer.stop()


def test_the_template_alone_speaks_at_once_in_the_thread_that_asks():
    writer = Writer(None)
    writer.start()
    heard = []
    Ear(writer).ask(question="What colour is it?", hear=heard.append)
    request = Request(RED, heard.append)
    writer.submit(request)
    assert heard[:2] == [NEW_LINE, "It is red."]
    assert (heard[2].backend, heard[2].verified) == ("template", True)
    assert "duration" in heard[2].evidence
    assert not writer.counts
    assert not writer.trouble


def test_the_model_writes_in_its_own_thread(started):
    model = Model()
    writer, ear = started(model)
    ear.ask()
    assert ear.wait(1) == ["model"]
    assert model.thread not in (None, threading.get_native_id())
    assert not writer.trouble


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_the_thread_of_the_model_gives_way_and_no_other(started):
    model, before = Model(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    started(model, niceness=3)
    assert os.getpriority(os.PRIO_PROCESS, model.thread) == min(before + 3, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_asking_never_waits(started):
    model = Model()
    model.gate.clear()
    _, ear = started(model)
    start = time.monotonic()
    for k in range(100):
        ear.ask(replace(RED, stamp=k))
    assert time.monotonic() - start < 1.0
    assert not ear.told


def test_of_each_track_the_newest_waits(started):
    model = Model()
    model.gate.clear()
    writer, ear = started(model)
    ear.ask()
    until(lambda: model.asked)
    for k in range(10, 15):
        for track_id in (3, 4):
            ear.ask(replace(RED, track_id=track_id, stamp=k))
    assert writer.waiting == 3
    assert writer.counts["replaced"] == 8
    model.gate.set()
    ear.wait(3)
    assert model.asked == [(3, 9, None), (3, 14, None), (4, 14, None)]
    assert writer.waiting == 0


def test_questions_go_first_and_none_is_replaced(started):
    model = Model()
    model.gate.clear()
    _, ear = started(model)
    ear.ask()
    until(lambda: model.asked)
    ear.ask(replace(RED, stamp=10))
    for question in "ab":
        ear.ask(question=question)
    model.gate.set()
    ear.wait(4)
    assert [question for *_, question in model.asked] == [None, "a", "b", None]


def test_while_the_model_loads_the_template_speaks_at_once(started):
    model = Model()
    model.loading.clear()
    writer, ear = started(model, ready=False)
    ear.ask()
    assert [words.backend for words in ear.told] == ["template"]
    assert writer.counts == {"not_ready": 1}
    model.loading.set()
    until(lambda: writer.ready)
    ear.ask()
    assert ear.wait(2) == ["template", "model"]


@pytest.mark.parametrize("error", [OSError("no weights: fetch them."), ImportError("no torch.")])
def test_a_missing_model_is_said_and_the_template_speaks(started, error):
    writer, ear = started(Model(missing=error), ready=False)
    until(lambda: writer.trouble)
    assert writer.trouble == f"model cannot be used: {error} The template speaks instead."
    ear.ask()
    assert [words.backend for words in ear.told] == ["template"]
    assert not writer.ready


def test_a_model_that_fails_is_replaced_at_once_and_tried_again(started):
    model = Model(failure=KeyError("what"))
    writer, ear = started(model)
    ear.ask()
    assert ear.wait(1) == ["template"]
    assert writer.trouble == "model failed: 'what' The template spoke instead."
    model.failure = None
    ear.ask()
    assert ear.wait(2) == ["template", "model"]
    until(lambda: not writer.trouble)


def test_words_that_are_not_the_models_own_are_trouble(started):
    model = Model("It is blue.")
    writer, ear = started(Verified(model))
    ear.ask()
    assert ear.wait(1) == ["template"]
    until(lambda: writer.trouble)
    assert writer.trouble == "model gave no words (unsupported 2). The template spoke instead."


def test_a_model_that_hangs_leaves_nobody_waiting(started):
    model = Model()
    model.gate.clear()
    writer, ear = started(model, deadline=0.2)
    ear.ask()
    until(lambda: model.asked)
    ear.ask(replace(RED, track_id=4))
    assert ear.wait(2) == ["template", "template"]
    assert writer.counts["expired"] == 2
    assert "slow" in writer.trouble
    ear.ask()  # the model still hangs: the template speaks at once
    assert len(ear.told) == 3
    assert writer.counts["busy"] == 1
    model.gate.set()
    until(lambda: writer.counts["discarded"])
    assert len(ear.told) == 3
    until(lambda: ear.ask() and ear.told[-1].backend == "model")  # it came back to life


def test_a_cancelled_request_is_told_nothing(started):
    model = Model()
    model.gate.clear()
    writer, ear = started(model)
    heard = []
    request = ear.ask(question="a", hear=heard.append)
    until(lambda: heard)
    assert writer.cancel(request)
    assert not writer.cancel(request)
    model.gate.set()
    until(lambda: writer.counts["discarded"])
    assert not ear.told
    assert heard == ["It "]
    assert writer.counts["cancelled"] == 1


def test_a_reset_drops_what_is_not_written(started):
    model = Model()
    model.gate.clear()
    writer, ear = started(model)
    ear.ask()
    until(lambda: model.asked)
    ear.ask(replace(RED, track_id=4))
    writer.clear()
    assert writer.counts["cleared"] == 2
    model.gate.set()
    ear.ask(replace(RED, track_id=5, stamp=99))
    ear.wait(1)
    assert [words.facts.track_id for words in ear.told] == [5]


def test_it_stops_and_starts_again(started):
    model = Model()
    writer, ear = started(model)
    writer.stop()
    ear.ask()
    assert [words.backend for words in ear.told] == ["template"]
    writer.start()
    until(lambda: writer.ready)
    ear.ask()
    assert ear.wait(2) == ["template", "model"]
