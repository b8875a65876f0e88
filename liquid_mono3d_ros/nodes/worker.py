"""One thread that works through images while the node keeps listening."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Worker(Generic[T]):
    """Processes submitted items in order; keeps at most ``capacity`` of each key waiting.

    When a key's queue is full its oldest item makes room: the newest image is worth most.
    """

    def __init__(
        self, process: Callable[[str, T], None], capacity: int, dropped: Callable[[str], None]
    ) -> None:
        self._process = process
        self._capacity = capacity
        self._dropped = dropped
        self._items: deque[tuple[str, T]] = deque()
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, key: str, item: T) -> None:
        """Queue an item."""
        with self._changed:
            if self._waiting[key] >= self._capacity:
                oldest = next(i for i, (other, _) in enumerate(self._items) if other == key)
                del self._items[oldest]
                self._waiting[key] -= 1
                self._dropped(key)
            self._items.append((key, item))
            self._waiting[key] += 1
            self._changed.notify()

    def clear(self) -> int:
        """Forget what waits; return how many items that were."""
        with self._changed:
            number = len(self._items)
            self._items.clear()
            self._waiting.clear()
            return number

    def stop(self) -> None:
        """Finish the current item and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._stopping)
                if self._stopping:
                    return
                key, item = self._items.popleft()
                self._waiting[key] -= 1
            self._process(key, item)
