"""The worker thread."""

import threading

from liquid_mono3d_ros.nodes.worker import Worker


def test_items_are_processed_in_order():
    done, seen = threading.Event(), []

    def process(key, item):
        seen.append((key, item))
        if item == "last":
            done.set()

    worker = Worker(process, 10, lambda key: None)
    for item in ("a", "b", "last"):
        worker.submit("k", item)
    assert done.wait(5)
    worker.stop()
    assert seen == [("k", "a"), ("k", "b"), ("k", "last")]


def test_a_full_queue_drops_the_oldest_of_its_own_key():
    started, go, seen, dropped = threading.Event(), threading.Event(), [], []

    def process(key, item):
        started.set()
        go.wait(5)
        seen.append((key, item))

    worker = Worker(process, 2, dropped.append)
    worker.submit("a", 0)
    assert started.wait(5)  # item 0 is in work; what follows has to wait
    worker.submit("b", 1)
    for item in (2, 3, 4):
        worker.submit("a", item)
    finished = threading.Event()
    worker._process = lambda key, item: (seen.append((key, item)), item == 4 and finished.set())
    go.set()
    assert finished.wait(5)
    worker.stop()
    assert dropped == ["a"]
    assert seen == [("a", 0), ("b", 1), ("a", 3), ("a", 4)]


def test_clear_says_how_many_waited():
    started, go = threading.Event(), threading.Event()

    def process(key, item):
        started.set()
        go.wait(5)

    worker = Worker(process, 5, lambda key: None)
    worker.submit("a", 0)
    assert started.wait(5)
    worker.submit("a", 1)
    worker.submit("b", 2)
    assert worker.clear() == 2
    go.set()
    worker.stop()
