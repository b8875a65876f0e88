"""What a filter keeps of the last instants, so that points which come late find their place.

Events are kept in the order of their stamps, and a few of the states between them: what comes late
is put after the state before it, and everything later is filtered again. Few states, because one
of many tracks is large; few events, because all may have to be filtered again at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from liquid_mono3d_ros.liquid.belief import Belief
from liquid_mono3d_ros.liquid.lifecycle import Lives
from liquid_mono3d_ros.liquid.smoother import Step
from liquid_mono3d_ros.records import FilterUpdate, Points3D, State, Trajectory

_UNSURE = (State.TENTATIVE, State.DELETED)

MOMENTS = 4
"""States kept over the window, evenly, and one before it."""
MOST = 128
"""Events between that many states: those that one late point may make the filter repeat."""

Event = tuple[int, Points3D | int]
"""Stamp in ns, and points, or the number of a track that was dropped then."""


@dataclass(frozen=True)
class Moment:
    """All that a filter knew after an event.

    Attributes:
        stamp: Of the newest points, ns; None before the first.
        belief: Of the models.
        lives: Of the tracks.
        steps: Kept for the smoother.
        tentative: Track → its states so far, while it is not confirmed.
    """

    stamp: int | None
    belief: Belief
    lives: Lives
    steps: tuple[Step, ...]
    tentative: Mapping[int, tuple[Trajectory, ...]]


@dataclass(frozen=True)
class Segment:
    """A moment and the events after it.

    Attributes:
        before: What the filter knew.
        events: Stamp, and points or the number of a track that was dropped; oldest first, of equal
            stamps as they came.
    """

    before: Moment
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Recent:
    """The last segments, oldest first; together they reach back over the window."""

    segments: tuple[Segment, ...]

    def add(self, event: Event, window: int) -> Recent:
        """Return this with one more event, at least as new as the newest.

        Args:
            event: Stamp and what came.
            window: Points may be so much older than the newest, ns.
        """
        *others, last = self.segments
        segments = (*others, Segment(last.before, (*last.events, event)))
        while len(segments) > 1 and (
            (segments[1].before.stamp or 0) <= event[0] - window or len(segments) > MOMENTS + 1
        ):
            segments = segments[1:]
        return Recent(segments)

    def is_due(self, stamp: int, window: int) -> bool:
        """Say whether the moment after the newest event, of that stamp, is to be kept."""
        last = self.segments[-1]
        since = window if last.before.stamp is None else stamp - last.before.stamp
        return since * MOMENTS >= window or len(last.events) * MOMENTS >= MOST

    def begin(self, moment: Moment) -> Recent:
        """Return this with another segment, begun by the moment after the newest event."""
        return Recent((*self.segments, Segment(moment)))

    def split(self, stamp: int) -> tuple[Recent, tuple[Event, ...]] | None:
        """Return what stands before a late stamp, and all later events, to be repeated.

        None when it is older than all that is kept.
        """
        for k in range(len(self.segments) - 1, -1, -1):
            before = self.segments[k].before
            if before.stamp is None or before.stamp <= stamp:
                later = tuple(event for one in self.segments[k:] for event in one.events)
                return Recent((*self.segments[:k], Segment(before))), later
        return None


def put_in(events: tuple[Event, ...], late: Points3D) -> tuple[Event, ...]:
    """Return the events with late points behind all that are not newer."""
    place = sum(stamp <= late.stamp for stamp, _ in events)
    return (*events[:place], (late.stamp, late), *events[place:])


def merge(updates: Sequence[FilterUpdate], known: Lives, smoothed: int | None) -> FilterUpdate:
    """Return what repeated updates bring that was not said before; ``now`` is that of the last.

    Args:
        updates: In order; the first is that of the late points.
        known: The tracks as they were before the late points came.
        smoothed: Newest stamp of which a smoothed state was given out; None for none.
    """
    *earlier, last = updates
    told = set(known.track_id[known.state != State.TENTATIVE].tolist())
    sure = {t.track_id for t in last.now.trajectories if t.state not in _UNSURE} - told
    history = [t for u in updates for t in u.history if t.track_id in sure]
    history += [
        replace(t, predictions=())
        for u in earlier
        for t in u.now.trajectories
        if t.track_id in sure and t.state == State.CONFIRMED and t.measured
    ]
    left = set(known.track_id.tolist()) - {t.track_id for t in last.now.trajectories}
    ended = {
        t.track_id: replace(t, stamp=last.now.stamp, measured=False)
        for u in earlier
        for t in u.now.trajectories
        if t.track_id in left and t.state == State.DELETED
    }
    lagged = [lot for u in updates for lot in u.lagged if smoothed is None or lot.stamp > smoothed]
    now = replace(last.now, trajectories=(*last.now.trajectories, *ended.values()))
    return FilterUpdate(now, tuple(sorted(history, key=lambda t: t.stamp)), tuple(lagged))
