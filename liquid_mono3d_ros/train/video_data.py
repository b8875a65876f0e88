"""Clips to teach the video encoder: crops of rendered scenes, and whole views; drawn aside."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.synth.appearances import FLASH
from liquid_mono3d_ros.synth.sights import ATTRIBUTES, Sights, Staging, draw_sights
from liquid_mono3d_ros.synth.views import draw_views

SCENES = 24
"""Of a chunk, and so many whole views with them."""


@dataclass(frozen=True)
class Clips:
    """Clips with what is known of them.

    Attributes:
        frames: RGB, (N, T, 64, 64, 3) uint8.
        label: Value of each attribute that a picture shows, (N, A); -1 where it does not apply.
        flash: Whether the object flashes in the frame, (N, T); NaN where it is not known.
        extent: Logarithm of the object's size over the window's side, (N, T); NaN where unknown.
    """

    frames: Array
    label: Array
    flash: Array
    extent: Array

    @classmethod
    def unlabelled(cls, frames: Array) -> Clips:
        """Return clips of which nothing is known."""
        unknown = np.full(frames.shape[:2], np.nan, dtype=np.float32)
        return cls(frames, np.full((len(frames), len(attributes())), -1), unknown, unknown)


def attributes() -> dict[str, int]:
    """Return the attributes that a single crop's frames can show, with their number of values."""
    return {
        name: len(one.values)
        for name, one in ATTRIBUTES.items()
        if one.stream == "image" and not one.pair
    }


def crops_of(sights: Sights) -> Clips:
    """Return the clips of every object with its labels; an unseen frame repeats the one before."""
    n, objects, num_frames = sights.seen.shape
    seen = sights.seen.reshape(n * objects, num_frames)
    label = np.stack([sights.label[name].reshape(-1) for name in attributes()], axis=1)
    frames = held(sights.crops.reshape(n * objects, *sights.crops.shape[2:]), seen)
    flash, extent = (one.reshape(n * objects, -1) for one in (_flashes(sights), _extents(sights)))
    ever = seen.any(axis=1)
    return Clips(frames[ever], label[ever], flash[ever], extent[ever])


def _flashes(sights: Sights) -> Array:
    """Return in which frames an object flashes, (N, O, V) as 0.0 or 1.0; it lasts at least one."""
    t, at = sights.video_stamp[:, None], sights.amount["flash_time"][..., None]
    period = float(np.diff(sights.video_stamp, axis=1).mean())
    return np.asarray(np.abs(t - at) < max(FLASH, 1.5 * period) / 2, dtype=np.float32)


def _extents(sights: Sights) -> Array:
    """Return the logarithm of size over the side of the window, (N, O, V); NaN where unseen."""
    far = np.empty_like(sights.side)
    for n, o in np.ndindex(far.shape[:2]):
        far[n, o] = np.interp(sights.video_stamp[n], sights.state_stamp[n], sights.range[n, o])
    window = np.where(sights.seen, sights.side, np.nan) * far  # m
    return np.asarray(np.log(sights.amount["size"][..., None] / window), dtype=np.float32)


def held(frames: Array, seen: Array) -> Array:
    """Return clips (N, T, ...) in which an unseen frame is the last seen one.

    Before the first seen frame it is the first: as the running encoder, which hears of seen frames
    alone, begins.
    """
    number = np.arange(seen.shape[1])
    last = np.maximum.accumulate(np.where(seen, number, -1), axis=1)
    last = np.where(last < 0, seen.argmax(axis=1)[:, None], last)
    index = last.reshape(*last.shape, *[1] * (frames.ndim - 2))
    return np.asarray(np.take_along_axis(frames, index, axis=1))


def draw_chunk(number: int, staging: Staging, seed: int) -> tuple[Clips, Clips]:
    """Return the crops and the whole views of one chunk."""
    import cv2

    cv2.setNumThreads(1)
    crops = crops_of(draw_sights(staging, SCENES, _seed(seed, number, 0)))
    views, _ = draw_views(staging, SCENES, _seed(seed, number, 1))
    return crops, Clips.unlabelled(views)


@contextmanager
def chunks(count: int, staging: Staging, seed: int, workers: int) -> Iterator[Arrivals]:
    """Draw chunks 0 to count - 1 while the caller works.

    Args:
        count: How many.
        staging: The conditions.
        seed: Of the chunks; each has its own of it.
        workers: Processes; 0 draws in this one, when asked.
    """
    task = partial(draw_chunk, staging=staging, seed=seed)
    if workers == 0:
        yield Arrivals(task, [], count)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(task, number) for number in range(count)]
        try:
            yield Arrivals(task, futures, count)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Arrivals:
    """Chunks in order of their number, each handed out once; it remembers how far it came."""

    def __init__(self, task: Any, futures: list[Future[Any]], count: int) -> None:
        self.task, self.futures, self.count, self.given = task, futures, count, 0

    def take(self, at_least: int) -> Iterator[tuple[Clips, Clips]]:
        """Yield the chunks that have arrived, and wait until ``at_least`` were given in all."""
        while self.given < self.count:
            number = self.given
            if not self.futures:
                if number >= at_least:
                    return
                found = self.task(number)
            elif number < at_least or self.futures[number].done():
                found = self.futures[number].result()
                self.futures[number] = Future()  # lets the pixels go
            else:
                return
            self.given += 1
            yield found


def _seed(seed: int, number: int, kind: int) -> int:
    """Return a seed of its own for each chunk and kind."""
    return int(np.random.SeedSequence((seed, number, kind)).generate_state(1)[0])
