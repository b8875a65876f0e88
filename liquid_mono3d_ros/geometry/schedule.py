"""Which run of the clock an image belongs to, and which instants are due."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What an image's stamp says."""

    GOOD = "good"
    NEW_EPOCH = "new_epoch"
    DUPLICATE = "duplicate"
    STALE = "stale_epoch"


class EpochGuard:
    """Remembers the stamps of each camera and starts a new epoch when one goes backward.

    In a recording that loops, the cameras jump back one after the other. The first starts the
    epoch, the others join it. Until a camera joins, an image that goes on with its own old
    sequence (later than its last stamp, and nearer to it than to the new run) is stale.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._last: dict[str, int] = {}
        self._left: dict[str, int] = {}  # last stamp in the old run, of cameras yet to join
        self._newest: int | None = None

    def reset(self) -> None:
        """Start a new epoch; the cameras join it in whichever run of the clock comes first."""
        self.epoch += 1
        self._left.update(self._last)
        self._last = {}
        self._newest = None

    def admit(self, camera: str, stamp: int) -> Verdict:
        """Judge an image and remember its stamp."""
        verdict = Verdict.GOOD
        old = self._left.get(camera)
        if old is not None and self._newest is None and stamp > old:
            self._left.clear()  # reset in the midst of a run, which goes on
        elif old is not None and self._is_stale(stamp, old):
            self._left[camera] = stamp
            return Verdict.STALE
        self._left.pop(camera, None)
        last = self._last.get(camera)
        if last == stamp:
            return Verdict.DUPLICATE
        if last is not None and stamp < last:
            self.reset()
            del self._left[camera]
            verdict = Verdict.NEW_EPOCH
        self._last[camera] = stamp
        self._newest = stamp if self._newest is None else max(self._newest, stamp)
        return verdict

    def _is_stale(self, stamp: int, old: int) -> bool:
        return self._newest is not None and 0 < stamp - old < abs(stamp - self._newest)


@dataclass(frozen=True)
class Due:
    """An instant to locate at: the true time and the stamp of a reference image, ns.

    Attributes:
        time: True time of the image's middle row.
        stamp: Of the image.
        camera: Which gave it.
        late: Cameras that had not come so far when the waiting ended.
    """

    time: int
    stamp: int
    camera: str
    late: tuple[str, ...]


class Schedule:
    """Remembers which images of the reference camera wait for the other cameras.

    A camera silent for longer than ``silent_after`` is not waited for. While the reference is
    silent, the next camera that is not gives the instants (``acting``).

    Args:
        cameras: Names, in the order of the rig.
        reference: One of them.
        max_wait: ns.
        silent_after: ns.
    """

    def __init__(
        self, cameras: tuple[str, ...], reference: str, *, max_wait: int, silent_after: int
    ) -> None:
        first = cameras.index(reference)
        self._order = cameras[first:] + cameras[:first]
        self._max_wait = max_wait
        self._silent_after = silent_after
        self.reset()

    def reset(self) -> None:
        """Forget every instant."""
        self.acting = self._order[0]
        self._newest: dict[str, int] = {}
        self._start: int | None = None
        self._front = 0
        self._pending: deque[tuple[int, int, str]] = deque()
        self._done: int | None = None  # true time of the newest instant queued

    def note(self, camera: str, time: int, stamp: int) -> bool:
        """Take notice of an image, its true time and its stamp.

        Returns:
            Whether it is too late: it would give an instant, but not after the last one.
        """
        if self._start is None:
            self._start = self._front = time
        self._newest[camera] = time
        self._front = max(self._front, time)
        self.acting = next(name for name in self._order if not self._is_silent(name))
        if camera != self.acting:
            return False
        if self._done is not None and time <= self._done:
            return True
        self._done = time
        self._pending.append((time, stamp, camera))
        return False

    def due(self, *, at_once: bool = False) -> list[Due]:
        """Return the instants that every camera has passed, or that waited long enough."""
        ready = []
        while self._pending:
            time, stamp, camera = self._pending[0]
            late = tuple(
                name
                for name in self._order
                if self._newest.get(name, time - 1) < time and not self._is_silent(name)
            )
            if late and not at_once and self._front - time <= self._max_wait:
                break
            self._pending.popleft()
            ready.append(Due(time, stamp, camera, late))
        return ready

    def _is_silent(self, camera: str) -> bool:
        start = self._front if self._start is None else self._start
        return self._front - self._newest.get(camera, start) > self._silent_after
