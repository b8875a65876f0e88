"""Debian's OpenCV samples: stereo pairs of a chessboard and a film of walkers, fetched when asked.

The package ``opencv-doc`` (BSD-3 and Apache-2.0) is 96 MB to download; the 29 files used of it,
9 MB, are kept in the user's cache and never in the repository.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from liquid_mono3d_ros.checks import complain

PACKAGE = "opencv-doc"
FOLDER = Path("usr/share/doc/opencv-doc/examples/data")
PAIRS = (*range(1, 10), *range(11, 15))
"""Numbers of the pairs ``left01.jpg``, ``right01.jpg`` …; there is no 10."""
FILES = (
    *(f"{side}{number:02d}.jpg" for side in ("left", "right") for number in PAIRS),
    "intrinsics.yml",
    "left_intrinsics.yml",
    "vtest.avi",
)
SHA256 = "6c6c58e3608d1dedc5afa5f77773980fd3e294cabb82d047915d88646398fd68"
"""Of the contents of ``FILES``, one after the other; every release of the package has the same."""


class SamplesUnavailable(OSError):  # noqa: N818 - says what is the matter
    """The samples are not on this machine and could not be fetched; the text says why."""


def fetch_opencv_samples(cache: Path | None = None) -> Path:
    """Return the folder with ``FILES``, downloading the Debian package the first time.

    Args:
        cache: Folder to keep them in; None for ``liquid_mono3d`` in the user's cache folder.

    Raises:
        SamplesUnavailable: If they have to be downloaded and cannot be, or are not what they were.
    """
    folder = (cache or _user_cache()) / PACKAGE
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            source = _installed() or _unpack(_download(Path(scratch)), Path(scratch))
            _check(source)
            chosen = Path(scratch, "chosen")
            chosen.mkdir()
            for name in FILES:
                shutil.copyfile(source / name, chosen / name)
            chosen.rename(folder)
    return folder


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "liquid_mono3d"


def _installed() -> Path | None:
    """Return where the package is installed, if it is, with every file."""
    folder = Path("/", FOLDER)
    return folder if all((folder / name).is_file() for name in FILES) else None


def _download(folder: Path) -> Path:
    """Fetch the package with apt, which knows the user's mirror and proxy."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SamplesUnavailable(_sorry("this is no Debian or Ubuntu"))
    done = subprocess.run(
        ["apt-get", "download", "--quiet", PACKAGE], cwd=folder, capture_output=True, text=True
    )
    packages = list(folder.glob("*.deb"))
    if done.returncode or not packages:
        last = (done.stderr.strip() or "apt-get wrote no file").splitlines()[-1]
        raise SamplesUnavailable(_sorry(last.removeprefix("E: ").rstrip(".")))
    return packages[0]


def _unpack(package: Path, folder: Path) -> Path:
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "root")], check=True)
    return folder / "root" / FOLDER


def _check(folder: Path) -> None:
    digest = digest_of(folder)
    if digest != SHA256:
        cure = "The mirror served another package: check it."
        raise SamplesUnavailable(complain(PACKAGE, f"of sha256 {SHA256}", digest, cure))


def digest_of(folder: Path) -> str:
    """Return the sha256 of the contents of ``FILES``, one after the other.

    Raises:
        SamplesUnavailable: If one is missing.
    """
    digest = hashlib.sha256()
    for name in FILES:
        if not (folder / name).is_file():
            raise SamplesUnavailable(_sorry(f"it has no {name}"))
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _sorry(reason: str) -> str:
    return (
        f"The OpenCV samples could not be taken from the Debian package {PACKAGE}: {reason}. "
        f"Run `apt-get update` and try again, or install {PACKAGE}."
    )
