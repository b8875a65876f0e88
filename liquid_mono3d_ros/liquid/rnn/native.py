"""C sources → libraries for the scans, the running step and the filter bank, without torch.

``python -m liquid_mono3d_ros.liquid.rnn.native`` builds them into the user's cache, and ``--into``
a folder of choice. Nothing is compiled on import; without the libraries the same numbers come
from numpy and torch. ``LIQUID_MONO3D_NATIVE=off`` in the environment leaves them unused. The
module needs the standard library alone, so that an installation can run it as a file.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
from pathlib import Path

FOLDER = Path(__file__).with_name("native")
NAMES = ("scan", "bank")
"""Of the sources in the folder, and of the libraries."""
FLAGS = (
    "-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden",
    "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi",
)  # fmt: skip
"""No fast-math: NaN and infinity keep their meaning. No -march: the code asks the processor."""
MORE = {"bank": ("-fno-tree-vectorize",)}
"""Of a library alone: written in vectors already."""

_N, _P, _I, _F = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_float
_SCAN = {
    "fixed_forward": (_N, _N, _N, *[_P] * 6, _I, _P, _P),
    "fixed_backward": (_N, _N, _N, *[_P] * 6, _I, *[_P] * 6),
    "adaptive_forward": (_N, _N, _N, *[_P] * 5, _I, _F, _F, _P, _P),
    "adaptive_backward": (_N, _N, _N, *[_P] * 5, _I, _F, _F, *[_P] * 5),
    "running_step": (_P, _N),
    "pack_step": (_N, _N, _P, _P),
    "apply": (_I, _N, _P, _P),
    "use_plain": (_I,),
    "is_fast": (),
}
_BANK = {"bank_step": (_P, _N, ctypes.c_double, *[_P] * 8, _I), "is_fast": ()}
SIGNATURES = {"scan": _SCAN, "bank": _BANK}
"""Library → function → types of its arguments, as in its source."""
QUICK = ("running_step", "bank_step")
"""Functions that keep the interpreter's lock: giving it up costs more than a step of 1 µs."""


class Step(ctypes.Structure):
    """What ``running_step`` reads and writes, as in ``scan.c``."""

    _fields_ = (
        *[(name, _N) for name in ("units", "inputs")],
        *[(name, _I) for name in ("adaptive", "euler")],
        *[(name, _F) for name in ("tau_min", "tau_max")],
        *[(name, _P) for name in ("packed", "bias", "alpha", "joined", "dt")],
        *[(name, _P) for name in ("scratch", "next")],
    )


def cache() -> Path:
    """Return the user's cache folder of this package."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "liquid_mono3d")


def file_name(name: str = "scan") -> str:
    """Return the library's name; it changes with the source, the flags and the machine."""
    text = _source(name).read_bytes() + " ".join((*_flags(name), platform.machine())).encode()
    return f"{name}-{hashlib.sha256(text).hexdigest()[:16]}.so"


def build(folder: Path | None = None, name: str = "scan") -> Path:
    """Compile a library into ``folder``, by default the user's cache.

    Raises:
        FileNotFoundError: If there is no C compiler.
        RuntimeError: If the compiler fails; the text is the compiler's.
    """
    import shutil  # here, for running needs none of these
    import subprocess
    import tempfile

    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    compiler = next((found for name in names if name and (found := shutil.which(name))), None)
    if compiler is None:
        raise FileNotFoundError(
            "CC must be a C compiler; got none on the path. Install gcc or clang; everything runs "
            "without, more slowly."
        )
    source, target = _source(name), (folder or cache()) / file_name(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as workshop:
        half = Path(workshop, target.name)
        done = subprocess.run(
            [compiler, *_flags(name), "-o", str(half), str(source), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{compiler} could not build {source}: {done.stderr.strip()}")
        half.replace(target)
    library.cache_clear()
    return target


@functools.cache
def library(name: str = "scan") -> ctypes.CDLL | None:
    """Return a library, or None where it was not built or is switched off."""
    if os.environ.get("LIQUID_MONO3D_NATIVE", "").lower() in ("off", "0"):
        return None
    for folder in (FOLDER, cache()):
        if (path := folder / file_name(name)).is_file():
            return load(path, name)
    return None


def load(path: Path, name: str = "scan") -> ctypes.CDLL:
    """Load a library built by ``build`` and declare its functions."""
    loaded, quick = ctypes.CDLL(str(path)), ctypes.PyDLL(str(path))
    for each, kinds in SIGNATURES[name].items():
        if each in QUICK:
            setattr(loaded, each, getattr(quick, each))
        function = getattr(loaded, each)
        function.argtypes = kinds
        silent = each in ("use_plain", "bank_step")
        function.restype = None if silent else ctypes.c_int
    return loaded


def _flags(name: str) -> tuple[str, ...]:
    return (*FLAGS, *MORE.get(name, ()))


def _source(name: str) -> Path:
    return FOLDER / f"{name}.c"


def main() -> int:
    """Build the libraries and say where they are."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m liquid_mono3d_ros.liquid.rnn.native")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="instead of the user's cache")
    folder = parser.parse_args().into
    for name in NAMES:
        print(build(folder, name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
