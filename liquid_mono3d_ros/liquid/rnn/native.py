"""C source → a library for the scans and the running step, loaded without torch.

``python -m liquid_mono3d_ros.liquid.rnn.native`` builds it into the user's cache, and ``--into``
a folder of choice. Nothing is compiled on import; without the library the same numbers come
from numpy and torch. ``LIQUID_MONO3D_NATIVE=off`` in the environment leaves it unused. The module
needs the standard library alone, so that an installation can run it as a file.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("native") / "scan.c"
FLAGS = (
    "-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden",
    "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi",
)  # fmt: skip
"""No fast-math: NaN and infinity keep their meaning. No -march: the code asks the processor."""

_N, _P, _I, _F = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_float
SIGNATURES = {
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
"""Function → types of its arguments, as in ``scan.c``."""


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


def file_name() -> str:
    """Return the library's name; it changes with the source, the flags and the machine."""
    text = SOURCE.read_bytes() + " ".join((*FLAGS, platform.machine())).encode()
    return f"scan-{hashlib.sha256(text).hexdigest()[:16]}.so"


def build(folder: Path | None = None) -> Path:
    """Compile the library into ``folder``, by default the user's cache.

    Raises:
        FileNotFoundError: If there is no C compiler.
        RuntimeError: If the compiler fails; the text is the compiler's.
    """
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    compiler = next((found for name in names if name and (found := shutil.which(name))), None)
    if compiler is None:
        raise FileNotFoundError(
            "CC must be a C compiler; got none on the path. Install gcc or clang; everything runs "
            "without, more slowly."
        )
    target = (folder or cache()) / file_name()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as workshop:
        half = Path(workshop, target.name)
        done = subprocess.run(
            [compiler, *FLAGS, "-o", str(half), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{compiler} could not build {SOURCE}: {done.stderr.strip()}")
        half.replace(target)
    library.cache_clear()
    return target


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, or None where it was not built or is switched off."""
    if os.environ.get("LIQUID_MONO3D_NATIVE", "").lower() in ("off", "0"):
        return None
    for folder in (SOURCE.parent, cache()):
        if (path := folder / file_name()).is_file():
            return load(path)
    return None


def load(path: Path) -> ctypes.CDLL:
    """Load a library built by ``build`` and declare its functions.

    The running step keeps the interpreter's lock: giving it up costs more than a step of 1 µs. The
    others give it up.
    """
    loaded = ctypes.CDLL(str(path))
    loaded.running_step = ctypes.PyDLL(str(path)).running_step  # type: ignore[attr-defined]
    for name, kinds in SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes = kinds
        function.restype = None if name == "use_plain" else ctypes.c_int
    return loaded


def main() -> int:
    """Build the library and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m liquid_mono3d_ros.liquid.rnn.native")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="instead of the user's cache")
    print(build(parser.parse_args().into))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
