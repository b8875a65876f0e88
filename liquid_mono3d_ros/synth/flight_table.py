"""The record of simulated measurements with their truth."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from liquid_mono3d_ros.checks import Array, check_shape, complain
from liquid_mono3d_ros.synth.conditions import VERSION


@dataclass(frozen=True)
class Flights:
    """N tracks of T frames each; where nothing was measured z is 0, R one and B 0.

    Attributes:
        t: From the start of each track, (N, T) s, increasing.
        seen: A measurement exists, (N, T) bool.
        z: Measured position, (N, T, 3) m.
        R: Covariance of ``z`` by white pixel noise, (N, T, 3, 3) m².
        B: Covariance of ``z`` by calibration and clock as claimed, (N, T, 3, 3) m².
        xyz: True position at the stamp, (N, T, 3) m.
        velocity: True, (N, T, 3) m/s.
        gravity: In the world of ``xyz``, (N, 3) m/s².
        family: Index into ``motions.FAMILIES``, (N,).
        outlier: The measurement is a false one, (N, T) bool.
    """

    t: Array
    seen: Array
    z: Array
    R: Array
    B: Array
    xyz: Array
    velocity: Array
    gravity: Array
    family: Array
    outlier: Array

    def __post_init__(self) -> None:
        n, frames = check_shape("t", self.t, ("N", "T")).values()
        for name in ("seen", "outlier"):
            check_shape(name, getattr(self, name), (n, frames))
        for name in ("z", "xyz", "velocity"):
            check_shape(name, getattr(self, name), (n, frames, 3))
        for name in ("R", "B"):
            check_shape(name, getattr(self, name), (n, frames, 3, 3))
        check_shape("gravity", self.gravity, (n, 3))
        check_shape("family", self.family, (n,))

    def __len__(self) -> int:
        return len(self.t)

    def take(self, rows: Array | slice) -> Flights:
        """Return some of the tracks, by index, mask or slice."""
        return Flights(**{name: values[rows] for name, values in vars(self).items()})

    def turned(self, turn: Array) -> Flights:
        """Return the flights in worlds turned by (N, 3, 3), gravity with them."""
        back, square = turn.transpose(0, 2, 1), turn[:, None]
        seen = self.seen[..., None, None]
        R = square @ self.R @ back[:, None]
        B = square @ self.B @ back[:, None]
        return replace(
            self,
            z=self.z @ back,
            R=np.where(seen, (R + R.swapaxes(2, 3)) / 2, np.eye(3)),
            B=np.where(seen, (B + B.swapaxes(2, 3)) / 2, 0.0),
            xyz=self.xyz @ back,
            velocity=self.velocity @ back,
            gravity=np.einsum("nij,nj->ni", turn, self.gravity),
        )

    def digest(self) -> str:
        """Return the sha256 of version and values, in hexadecimal.

        Another machine or numpy may round the last digits otherwise; the digest tells.
        """
        total = hashlib.sha256(VERSION.encode())
        for name, values in vars(self).items():
            total.update(f"{name} {values.dtype.str} {values.shape}".encode())
            total.update(np.ascontiguousarray(values).tobytes())
        return total.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write an .npz file that ``load`` reads back to the last bit."""
        with Path(path).open("wb") as file:
            np.savez(file, allow_pickle=False, version=np.array(VERSION), **vars(self))

    @classmethod
    def load(cls, path: str | Path) -> Flights:
        """Read what ``save`` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no file of flights, or one of another version.
        """
        path = Path(path)
        if not path.is_file():
            cure = "Check the path."
            raise FileNotFoundError(complain("flights", "an existing file", str(path), cure))
        names = [field.name for field in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as file:
                version, values = str(file["version"]), {name: file[name] for name in names}
        except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            cure = "Draw them again."
            raise ValueError(complain(f"{path}", "a file of flights", str(error), cure)) from None
        if version != VERSION:
            cure = "Draw them again."
            raise ValueError(complain(f"{path}", f"of version {VERSION}", version, cure))
        return cls(**values)


def joined(parts: Iterable[Flights]) -> Flights:
    """Return the tracks of several flights in one."""
    rows = [vars(part) for part in parts]
    return Flights(**{name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
