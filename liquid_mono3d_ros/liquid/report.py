"""Arrays → Trajectory records."""

from __future__ import annotations

from dataclasses import dataclass

from liquid_mono3d_ros.checks import Array
from liquid_mono3d_ros.liquid.lifecycle import Lives
from liquid_mono3d_ros.records import FilterKind, Health, Prediction, State, Trajectory

# Looked up, not called: a call of an enumeration costs more than the rest of the record.
_STATE = {int(state): state for state in State}
_HEALTH = {value: Health(value) for value in range(2 * max(Health))}


@dataclass(frozen=True)
class Path:
    """Predicted path of N tracks: ``after`` K ns, xyz (N, K, 3) m, covariance (N, K, 3, 3) m²."""

    after: tuple[int, ...]
    xyz: Array
    covariance: Array

    def of(self, row: int) -> tuple[Prediction, ...]:
        """Return the predictions of one track."""
        return tuple(map(Prediction, self.after, self.xyz[row], self.covariance[row]))


def report(
    lives: Lives,
    x: Array,
    P: Array,
    *,
    stamp: int,
    epoch: int,
    kind: FilterKind,
    path: Path | None = None,
    fallback: bool = False,
) -> tuple[Trajectory, ...]:
    """Write one record a track.

    Args:
        lives: N tracks.
        x: Mean, (N, 9).
        P: Covariance, (N, 9, 9).
        stamp: Of the estimate, ns.
        epoch: Of the filter.
        kind: Of the filter.
        path: Where the tracks will be; a deleted track gets no predictions.
        fallback: Whether another filter stands in for the one asked for.
    """
    instead = int(Health.FALLBACK) if fallback else 0
    columns = zip(
        lives.track_id.tolist(),
        lives.state.tolist(),
        lives.health.tolist(),
        lives.last_measured.tolist(),
        lives.num_cameras.tolist(),
        lives.persistence.tolist(),
        strict=True,
    )
    return tuple(
        Trajectory(
            stamp=stamp,
            track_id=track_id,
            epoch=epoch,
            state=_STATE[state],
            measured=last_measured == stamp,
            xyz=x[row, :3],
            velocity=x[row, 3:6],
            covariance=P[row, :6, :6],
            filter=kind,
            health=_HEALTH[health | instead],
            last_measured=last_measured,
            persistence=persistence,
            num_cameras=num_cameras,
            predictions=() if path is None or state == State.DELETED else path.of(row),
        )
        for row, (
            track_id,
            state,
            health,
            last_measured,
            num_cameras,
            persistence,
        ) in enumerate(columns)
    )
