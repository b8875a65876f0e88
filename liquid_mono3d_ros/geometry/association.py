"""Which tracks of different cameras are one object, kept over time.

Two tracks are compared by their epipolar distance averaged over the last frames, so that objects
that share an epipolar plane for a moment are told apart by their motion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.epipolar import IMPOSSIBLE
from liquid_mono3d_ros.geometry.pair_distance import PairDistance
from liquid_mono3d_ros.geometry.view import View
from liquid_mono3d_ros.records import seconds

Node = tuple[str, int]
"""A camera and a 2D track of it."""

ESTABLISHED = 3
"""An object located so often is believed when a single camera sees it."""
LEFT = 9.0
"""Mean Mahalanobis distance squared beyond which a member seems to have left its object."""
CHANCE = 0.02
"""Share of frames in which a pair of strangers may pass for an object."""
SPEED = 5.0
"""At which an object may have moved since it was located, m/s."""
ELSEWHERE = 25.0
"""Squared Mahalanobis distance of a pixel to where its object cannot be expected any more."""


@dataclass
class Cluster:
    """2D tracks that are one object, at most one per camera.

    Attributes:
        members: Camera → 2D track.
        time: Of ``xyz``, ns; before the first point, of the birth.
        track_id: Of the object, from 1 upward, never used again; 0 before the first point.
        left_out: Cameras whose view disagreed the last time.
        xyz: Where it was located the last time, (3,) m; None before the first point.
        covariance: Of ``xyz``, (3, 3) m².
        points: How often it was located.
    """

    members: dict[str, int]
    time: int
    track_id: int = 0
    left_out: set[str] = field(default_factory=set)
    xyz: Array | None = None
    covariance: Array | None = None
    points: int = 0

    @property
    def located(self) -> bool:
        """Whether it ever was a point."""
        return self.xyz is not None

    @property
    def established(self) -> bool:
        """Whether it was located often enough to be followed with one camera."""
        return self.points >= ESTABLISHED


@dataclass(frozen=True)
class _Fit:
    """How N tracks of a camera fit K objects, mean over the objects' tracks in other cameras.

    Attributes:
        mahalanobis2: (K, N); ``IMPOSSIBLE`` when never seen together.
        px: (K, N) px.
        count: Frames in which it met one of the object's tracks, at most, (K, N).
        others: Tracks that the object has in the other cameras of this frame, (K,).
    """

    mahalanobis2: Array
    px: Array
    count: Array
    others: Array


class Associator:
    """Remembers which 2D tracks are one object.

    An object is born from tracks that lie close in every pair. One more view may join it from
    further away, so that a badly calibrated camera still takes part and can be named. A 2D track
    that leaves its object, as when two tracks swap in one image, is given to the object it fits.
    The object's number stays while one of its 2D tracks goes on.

    Args:
        frames: Over which distances are averaged.
        birth_px: Largest mean epipolar distance between the tracks of a new object.
        join_px: The same for one more view of an object that has two.
        calibration_sigma: Per camera and axis, rad.
        min_parallax: Below which two rays say nothing about depth, rad.
        forget_after: An object without a point for so long ends, ns.
    """

    def __init__(
        self,
        *,
        frames: int,
        birth_px: float,
        join_px: float,
        calibration_sigma: float,
        min_parallax: float,
        forget_after: int,
    ) -> None:
        self._frames = frames
        self._birth_px = birth_px
        self._join_px = join_px
        self._calibration_sigma = calibration_sigma
        self._min_parallax = min_parallax
        self._forget_after = forget_after
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget everything but which numbers were used."""
        self.clusters: list[Cluster] = []
        self._pairs: dict[tuple[str, str], PairDistance] = {}

    def forget_camera(self, camera: str) -> None:
        """Forget the 2D tracks of a camera whose tracker starts its numbers anew."""
        for cluster in self.clusters:
            cluster.members.pop(camera, None)
        self._pairs = {k: v for k, v in self._pairs.items() if camera not in k}

    def update(self, views: dict[str, View], time: int) -> list[Cluster]:
        """Take in one frame and return every living object, in the order of their births."""
        for a, b in combinations(views, 2):
            if (a, b) not in self._pairs:
                self._pairs[a, b] = PairDistance(self._frames, 2 * self._join_px)
            self._pairs[a, b].measure(
                views[a],
                views[b],
                calibration_sigma=self._calibration_sigma,
                min_parallax=self._min_parallax,
            )
        self._end(views, time)
        for camera in self._unsettled(views):
            self._assign(camera, views, time)
        self._bear(views, time)
        return self.clusters

    def settle(self, cluster: Cluster, xyz: Array, covariance: Array, time: int) -> None:
        """Remember where an object was located; the first time it gets its number."""
        if not cluster.located:
            cluster.track_id = self._next_id
            self._next_id += 1
        cluster.xyz, cluster.covariance, cluster.time = xyz, covariance, time
        cluster.points += 1

    def _end(self, views: dict[str, View], time: int) -> None:
        """Drop members whose 2D track ended, and objects without any that could go on."""
        living = []
        for cluster in self.clusters:
            for camera, track_id in list(cluster.members.items()):
                if camera in views and track_id not in views[camera].rows:
                    del cluster.members[camera]
            self._part(cluster, views, time)
            visible = len(cluster.members.keys() & views.keys())
            idle = time - cluster.time > self._forget_after and not (cluster.located and visible)
            if len(cluster.members) >= (1 if cluster.located else 2) and not idle:
                living.append(cluster)
        self.clusters = living

    def _part(self, cluster: Cluster, views: dict[str, View], time: int) -> None:
        """Let the less likely one go of two tracks that have long been apart, when alone."""
        members = [(camera, name) for camera, name in cluster.members.items() if camera in views]
        if len(cluster.members) != 2 or len(members) != 2:
            return
        _, px, count = self._distance(members[0], members[1], views)
        if count < self._frames or px <= 2 * self._birth_px:
            return
        expected = [
            self._expected_distance2(cluster, views[camera], time)[views[camera].rows[name]]
            for camera, name in members
        ]
        del cluster.members[members[int(np.argmax(expected))][0]]

    def _distance(self, a: Node, b: Node, views: dict[str, View]) -> tuple[float, float, int]:
        """Return of two tracks the mean distance squared, the mean px, and over how many."""
        if (a[0], b[0]) not in self._pairs:
            a, b = b, a
        pair = self._pairs[a[0], b[0]]
        i, j = views[a[0]].rows[a[1]], views[b[0]].rows[b[1]]
        return float(pair.mahalanobis2[i, j]), float(pair.px[i, j]), int(pair.count[i, j])

    def _unsettled(self, views: dict[str, View]) -> list[str]:
        """Return the cameras in which an object lacks a track, or has one that left the others."""
        own = {camera: member_rows(self.clusters, view) for camera, view in views.items()}
        total = {camera: np.zeros(len(self.clusters)) for camera in views}
        count = {camera: np.zeros(len(self.clusters)) for camera in views}
        for a, b in combinations(views, 2):
            both = np.flatnonzero((own[a] >= 0) & (own[b] >= 0))
            distance = self._pairs[a, b].mahalanobis2[own[a][both], own[b][both]]
            for camera in (a, b):
                total[camera][both] += distance
                count[camera][both] += 1
        return [
            camera
            for camera in views
            if ((own[camera] < 0) | (total[camera] > LEFT * count[camera])).any()
        ]

    def _assign(self, camera: str, views: dict[str, View], time: int) -> None:
        """Give the fresh tracks of a camera to the objects that lack one there or lost theirs."""
        view, fit = views[camera], self._fit(camera, views)
        own = member_rows(self.clusters, view)  # (K,)
        held = np.flatnonzero(own >= 0)
        left = held[(fit.mahalanobis2[held, own[held]] > LEFT) & (fit.others[held] > 0)]
        open_ = np.union1d(left, np.flatnonzero((own < 0) & (fit.others > 0)))
        free = view.fresh.copy()
        free[np.setdiff1d(own[held], own[left])] = False
        tracks = np.flatnonzero(free)
        if not len(open_) or not len(tracks):
            return
        cost = self._cost(fit, open_, tracks, view, time)
        mine = own[open_, None] == tracks
        stays = (fit.px[open_][:, tracks] <= self._join_px) | (fit.others[open_, None] < 2)
        own_cost = fit.mahalanobis2[open_][:, tracks] / 4  # another one must fit much better
        cost = np.where(mine, np.where(stays, own_cost, IMPOSSIBLE), cost)
        names = list(view.rows)
        for k in open_[mine.any(axis=1)]:
            del self.clusters[k].members[camera]
        for k, n in zip(*linear_sum_assignment(cost), strict=True):
            if cost[k, n] < IMPOSSIBLE:
                self.clusters[open_[k]].members[camera] = names[tracks[n]]

    def _cost(self, fit: _Fit, objects: Array, tracks: Array, view: View, time: int) -> Array:
        """Return the cost of each track for each object that does not have it, (K, N)."""
        px, count = fit.px[objects][:, tracks], fit.count[objects][:, tracks]
        longest = self._patience(len(tracks), len(self.clusters), self._join_px, view)
        patient = (fit.others[objects, None] >= 2) & (count >= longest)
        close = (px <= self._birth_px) & (count > 0)
        possible = close | ((px <= self._join_px) & patient)
        cost = fit.mahalanobis2[objects][:, tracks].copy()
        for row in np.flatnonzero(possible.any(axis=1)):
            expected = self._expected_distance2(self.clusters[objects[row]], view, time)[tracks]
            possible[row] &= expected < ELSEWHERE
            cost[row] += expected
        return np.where(possible, cost, IMPOSSIBLE)

    def _fit(self, camera: str, views: dict[str, View]) -> _Fit:
        """Compare the tracks of a camera with the objects' tracks in the other cameras."""
        shape = (len(self.clusters), len(views[camera].rows))
        total, weight, longest = np.zeros((2, *shape)), np.zeros(shape), np.zeros(shape)
        others = np.zeros(len(self.clusters), dtype=int)
        for other in (name for name in views if name != camera):
            rows = member_rows(self.clusters, views[other])
            known = np.flatnonzero(rows >= 0)
            others[known] += 1
            mean, count = self._between(other, camera)
            mean, count = mean[:, rows[known]], count[rows[known]]
            total[:, known] += mean * (count > 0)
            weight[known] += count > 0
            longest[known] = np.maximum(longest[known], count)
        mean = np.where(weight > 0, total / np.maximum(weight, 1), IMPOSSIBLE)
        return _Fit(mean[0], mean[1], longest, others)

    def _between(self, a: str, b: str) -> tuple[Array, Array]:
        """Return ``PairDistance.mean`` and ``count`` with the tracks of ``a`` along the rows."""
        if (a, b) in self._pairs:
            return self._pairs[a, b].mean, self._pairs[a, b].count
        return self._pairs[b, a].mean.swapaxes(1, 2), self._pairs[b, a].count.T

    def _expected_distance2(self, cluster: Cluster, view: View, time: int) -> Array:
        """Return how far the tracks are from where the object is expected, (N,).

        That is the squared Mahalanobis distance. The object may have moved at ``SPEED`` in any
        direction since it was located.
        """
        if cluster.xyz is None or cluster.covariance is None:
            return np.zeros(len(view.rows))
        R_cw = view.camera.R_cw
        xyz_camera = R_cw @ cluster.xyz + view.camera.t_cw
        if xyz_camera[2] <= 0:
            return np.full(len(view.rows), IMPOSSIBLE)
        projected = xyz_camera[:2] / xyz_camera[2]
        J = (R_cw[:2] - projected[:, None] * R_cw[2]) / xyz_camera[2]
        spread = cluster.covariance + np.eye(3) * (SPEED * seconds(time - cluster.time)) ** 2
        S = J @ spread @ J.T + view.covariance
        S = S + self._calibration_sigma**2 * view.turned_area  # (N, 2, 2)
        offset = (view.uv - projected)[..., None]
        return np.asarray((offset * np.linalg.solve(S, offset)).sum(axis=(1, 2)))

    def _bear(self, views: dict[str, View], time: int) -> None:
        """Join free tracks to new objects, the closest pair first."""
        groups: dict[Node, dict[str, int]] = {}
        for _, a, b in sorted(self._edges(views)):
            group_a = groups.setdefault(a, {a[0]: a[1]})
            group_b = groups.setdefault(b, {b[0]: b[1]})
            if group_a is group_b or group_a.keys() & group_b.keys():
                continue
            if all(
                self._distance(x, y, views)[1] < self._birth_px
                for x in group_a.items()
                for y in group_b.items()
            ):
                group_a.update(group_b)
                for node in group_a.items():
                    groups[node] = group_a
        for group in {id(group): group for group in groups.values()}.values():
            if len(group) >= 2:
                self.clusters.append(Cluster(group, time))

    def _edges(self, views: dict[str, View]) -> Iterator[tuple[float, Node, Node]]:
        """Yield the pairs of free tracks close enough, for long enough, to be one object.

        A pair with a rival (a track that is close to two of one camera) waits until half the
        averaging time has passed.
        """
        free = {camera: self._free(view) for camera, view in views.items()}
        for a, b in combinations(views, 2):
            if not (free[a].any() and free[b].any()):
                continue
            pair, names_a, names_b = self._pairs[a, b], list(views[a].rows), list(views[b].rows)
            close = (pair.px < self._birth_px) & (pair.count > 0)
            close &= free[a][:, None] & free[b]
            rivals = close.sum(axis=1)[:, None] + close.sum(axis=0) - 2
            num_a, num_b = int(views[a].fresh.sum()), int(views[b].fresh.sum())
            alone = self._patience(num_a, num_b, self._birth_px, views[a])
            patience = np.where(rivals > 0, self._frames / 2, alone)
            for i, j in np.argwhere(close & (pair.count >= patience)).tolist():
                yield float(pair.mahalanobis2[i, j]), (a, names_a[i]), (b, names_b[j])

    def _free(self, view: View) -> Array:
        """Return the fresh tracks of a camera that belong to no object, (N,) bool."""
        free = view.fresh.copy()
        rows = member_rows(self.clusters, view)
        free[rows[rows >= 0]] = False
        return free

    def _patience(self, num_a: int, num_b: int, px: float, view: View) -> int:
        """Return in how many frames two of so many must be close, so that strangers hardly are.

        Strangers are close by chance in the part ``2 * px / height`` of all images; one detection
        makes a track fresh in two frames.
        """
        strangers = num_a * num_b - min(num_a, num_b)
        if strangers == 0:
            return 1
        chance = min(2 * px / view.camera.height, 0.5)
        images = max(1, math.ceil(math.log(CHANCE / strangers) / math.log(chance)))
        return min(2 * images - 1, self._frames)


def member_rows(clusters: Sequence[Cluster], view: View) -> Array:
    """Return the row of each object's track in a view, (K,); −1 without one."""
    camera, rows = view.camera.name, view.rows
    return np.array([rows.get(c.members.get(camera, -1), -1) for c in clusters], dtype=int)
