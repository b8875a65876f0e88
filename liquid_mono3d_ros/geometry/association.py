"""Which tracks of different cameras are one object, kept over time.

Two tracks are compared by their epipolar distance averaged over the last frames, so that objects
that share an epipolar plane for a moment are told apart by their motion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.geometry.epipolar import IMPOSSIBLE, epipolar_distance
from liquid_mono3d_ros.geometry.view import View
from liquid_mono3d_ros.records import seconds

Node = tuple[str, int]
"""A camera and a 2D track of it."""


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
    """

    members: dict[str, int]
    time: int
    track_id: int = 0
    left_out: set[str] = field(default_factory=set)
    xyz: Array | None = None
    covariance: Array | None = None

    @property
    def located(self) -> bool:
        """Whether it ever was a point."""
        return self.xyz is not None


class PairDistance:
    """Remembers the mean distance of each pair of tracks of two cameras.

    The mean runs over all frames until there are ``frames``, then it forgets at that rate.
    """

    def __init__(self, frames: int, ceiling_px: float) -> None:
        self._frames = frames
        self._ceiling = np.array([100.0, ceiling_px])[:, None, None]  # one bad frame: not forever
        self._rows: tuple[list[int], list[int]] = ([], [])
        self._mean = np.zeros((2, 0, 0))
        self._count = np.zeros((0, 0))
        self._index: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def update(self, a: View, b: View, mahalanobis2: Array, px: Array) -> None:
        """Take in the distances (N, M) of one frame."""
        rows = (list(a.rows), list(b.rows))
        if rows != self._rows:
            self._reindex(rows)
        self._count += self._count < self._frames
        new = np.minimum(np.array([mahalanobis2, px]), self._ceiling)
        self._mean += (new - self._mean) / self._count

    def mean(self, a: int, b: int) -> tuple[float, float, int]:
        """Return the mean Mahalanobis distance squared, the mean distance px, and of how many."""
        i, j = self._index[0].get(a), self._index[1].get(b)
        if i is None or j is None:
            return IMPOSSIBLE, IMPOSSIBLE, 0
        return float(self._mean[0, i, j]), float(self._mean[1, i, j]), int(self._count[i, j])

    def _reindex(self, rows: tuple[list[int], list[int]]) -> None:
        mean = np.zeros((2, len(rows[0]), len(rows[1])))
        count = np.zeros(mean.shape[1:])
        old, new = zip(*(_common(self._index[k], rows[k]) for k in (0, 1)), strict=True)
        mean[:, new[0][:, None], new[1]] = self._mean[:, old[0][:, None], old[1]]
        count[new[0][:, None], new[1]] = self._count[old[0][:, None], old[1]]
        self._rows, self._mean, self._count = rows, mean, count
        self._index = (
            {k: i for i, k in enumerate(rows[0])},
            {k: i for i, k in enumerate(rows[1])},
        )


class Associator:
    """Remembers which 2D tracks are one object.

    An object is born from tracks that lie close in every pair; a view joins it from further away,
    so that a badly calibrated camera still takes part and can be named. Its number stays while
    one of its 2D tracks goes on.

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
        self._distances: dict[tuple[str, str], PairDistance] = {}

    def forget_camera(self, camera: str) -> None:
        """Forget the 2D tracks of a camera whose tracker starts its numbers anew."""
        for cluster in self.clusters:
            cluster.members.pop(camera, None)
        self._distances = {k: v for k, v in self._distances.items() if camera not in k}

    def update(self, views: dict[str, View], time: int) -> list[Cluster]:
        """Take in one frame and return every living object, in the order of their births."""
        self._measure(views)
        self._end(views, time)
        free = self._free(views)
        for cluster in self.clusters:
            self._exchange(cluster, free)
        self._join(views, free, time)
        self._bear(free, time)
        return self.clusters

    def settle(self, cluster: Cluster, xyz: Array, covariance: Array, time: int) -> None:
        """Remember where an object was located; the first time it gets its number."""
        if not cluster.located:
            cluster.track_id = self._next_id
            self._next_id += 1
        cluster.xyz, cluster.covariance, cluster.time = xyz, covariance, time

    def _measure(self, views: dict[str, View]) -> None:
        for pair in combinations(views, 2):
            a, b = views[pair[0]], views[pair[1]]
            if pair not in self._distances:
                self._distances[pair] = PairDistance(self._frames, 2 * self._join_px)
            distance = epipolar_distance(
                a,
                b,
                calibration_sigma=self._calibration_sigma,
                min_parallax=self._min_parallax,
            )
            self._distances[pair].update(a, b, *distance)

    def _distance(self, a: Node, b: Node) -> tuple[float, float, int]:
        """Return the mean distance of two tracks, as ``PairDistance.mean`` does."""
        if (a[0], b[0]) in self._distances:
            return self._distances[a[0], b[0]].mean(a[1], b[1])
        if (b[0], a[0]) in self._distances:
            return self._distances[b[0], a[0]].mean(b[1], a[1])
        return IMPOSSIBLE, IMPOSSIBLE, 0

    def _mean_distance(self, node: Node, others: Iterable[Node]) -> tuple[float, float]:
        """Return the mean over the other tracks that this frame shows, without its own camera."""
        known = [self._distance(node, other) for other in others if other[0] != node[0]]
        known = [distance for distance in known if distance[2] > 0]
        if not known:
            return IMPOSSIBLE, IMPOSSIBLE
        return sum(d[0] for d in known) / len(known), sum(d[1] for d in known) / len(known)

    def _end(self, views: dict[str, View], time: int) -> None:
        """Drop members whose 2D track ended, and objects without any that could go on."""
        living = []
        for cluster in self.clusters:
            for camera, track_id in list(cluster.members.items()):
                if camera in views and track_id not in views[camera].rows:
                    del cluster.members[camera]
            visible = len(cluster.members.keys() & views.keys())
            idle = time - cluster.time > self._forget_after and not (cluster.located and visible)
            enough = len(cluster.members) >= (1 if cluster.located else 2)
            if enough and not idle and not self._contradicts(cluster):
                living.append(cluster)
        self.clusters = living

    def _contradicts(self, cluster: Cluster) -> bool:
        """Return whether the only two tracks of an object have long been apart."""
        if len(cluster.members) != 2:
            return False
        a, b = cluster.members.items()
        _, px, count = self._distance(a, b)
        return count >= self._frames and px > 2 * self._birth_px

    def _free(self, views: dict[str, View]) -> dict[str, set[int]]:
        """Return the fresh tracks of each camera that belong to no object."""
        free = {
            camera: {name for name, row in view.rows.items() if view.fresh[row]}
            for camera, view in views.items()
        }
        for cluster in self.clusters:
            for camera, track_id in cluster.members.items():
                if camera in free:
                    free[camera].discard(track_id)
        return free

    def _exchange(self, cluster: Cluster, free: dict[str, set[int]]) -> None:
        """Replace a member that left the others by a free track that fits, or let it go."""
        for camera, member in list(cluster.members.items()):
            others = list(cluster.members.items())
            mahalanobis2, px = self._mean_distance((camera, member), others)
            if px < self._birth_px or px == IMPOSSIBLE:
                continue
            if px > self._join_px and len(others) > 2:
                del cluster.members[camera]
                continue
            if not free.get(camera):
                continue
            best = min(
                free[camera], key=lambda name: self._mean_distance((camera, name), others)[0]
            )
            best_mahalanobis2, best_px = self._mean_distance((camera, best), others)
            if best_px < self._birth_px and best_mahalanobis2 < mahalanobis2 / 4:
                cluster.members[camera] = best
                free[camera].remove(best)

    def _join(self, views: dict[str, View], free: dict[str, set[int]], time: int) -> None:
        """Give free tracks to objects that lack one in that camera, the best fit first."""
        offers = []
        for index, cluster in enumerate(self.clusters):
            members = list(cluster.members.items())
            limit = self._join_px if len(members) >= 2 else self._birth_px
            for camera in free.keys() - cluster.members.keys():
                for name in free[camera]:
                    mahalanobis2, px = self._mean_distance((camera, name), members)
                    if px > limit:
                        continue
                    expected = self._expected_distance2(cluster, views[camera], name, time)
                    offers.append((mahalanobis2 + expected, index, camera, name))
        for _, index, camera, name in sorted(offers):
            members_of = self.clusters[index].members
            if camera not in members_of and name in free[camera]:
                members_of[camera] = name
                free[camera].remove(name)

    def _expected_distance2(self, cluster: Cluster, view: View, name: int, time: int) -> float:
        """Return the squared Mahalanobis distance of a track to where the object is expected.

        The object may have moved at 5 m/s in any direction since it was located.
        """
        if cluster.xyz is None or cluster.covariance is None:
            return 0.0
        xyz_camera = view.camera.R_cw @ cluster.xyz + view.camera.t_cw
        if xyz_camera[2] <= 0:
            return IMPOSSIBLE
        row = view.rows[name]
        projected = xyz_camera[:2] / xyz_camera[2]
        J = (view.camera.R_cw[:2] - projected[:, None] * view.camera.R_cw[2]) / xyz_camera[2]
        spread = cluster.covariance + np.eye(3) * (5.0 * seconds(time - cluster.time)) ** 2
        S = J @ spread @ J.T + view.covariance[row]
        S = S + self._calibration_sigma**2 * view.turned_area[row]
        offset = view.uv[row] - projected
        return float(offset @ np.linalg.solve(S, offset))

    def _bear(self, free: dict[str, set[int]], time: int) -> None:
        """Join free tracks to new objects, the closest pair first."""
        edges = self._edges(free)
        groups: dict[Node, dict[str, int]] = {}
        for _, a, b in sorted(edges):
            group_a = groups.setdefault(a, {a[0]: a[1]})
            group_b = groups.setdefault(b, {b[0]: b[1]})
            if group_a is group_b or group_a.keys() & group_b.keys():
                continue
            if all(
                self._distance(x, y)[1] < self._birth_px
                for x in group_a.items()
                for y in group_b.items()
            ):
                group_a.update(group_b)
                for node in group_a.items():
                    groups[node] = group_a
        for group in {id(group): group for group in groups.values()}.values():
            if len(group) >= 2:
                self.clusters.append(Cluster(group, time))

    def _edges(self, free: dict[str, set[int]]) -> list[tuple[float, Node, Node]]:
        """Return the pairs of free tracks close enough to be one object.

        A pair with a rival (a track that is close to two of one camera) waits until half the
        averaging time has passed.
        """
        edges = []
        for camera_a, camera_b in combinations(free, 2):
            close = []
            for a in free[camera_a]:
                for b in free[camera_b]:
                    mahalanobis2, px, count = self._distance((camera_a, a), (camera_b, b))
                    if px < self._birth_px:
                        close.append((mahalanobis2, a, b, count))
            for mahalanobis2, a, b, count in close:
                rivals = sum(a == other[1] or b == other[2] for other in close) - 1
                if rivals == 0 or 2 * count >= self._frames:
                    edges.append((mahalanobis2, (camera_a, a), (camera_b, b)))
        return edges


def _common(index: dict[int, int], names: list[int]) -> tuple[Array, Array]:
    """Return the old and the new rows of the names known before."""
    pairs = [(index[name], row) for row, name in enumerate(names) if name in index]
    both = np.array(pairs, dtype=int).reshape(-1, 2)
    return both[:, 0], both[:, 1]
