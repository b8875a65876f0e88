"""What every test may rely on."""

import faulthandler
import os
import signal

import pytest

LONGEST = 900
"""Seconds after which a test that hangs ends the whole run and shows where it stands."""
STDERR = pytest.StashKey[int]()


def pytest_configure(config):
    """Heed Ctrl-C: a job in the background ignores it, and so would every process it starts."""
    config.stash[STDERR] = os.dup(2)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def it_ends(request):
    """Watch from a thread that needs no interpreter: what hangs may hold its lock."""
    faulthandler.dump_traceback_later(LONGEST, exit=True, file=request.config.stash[STDERR])
    yield
    faulthandler.cancel_dump_traceback_later()
