"""What every test may rely on."""

import signal


def pytest_configure(config):
    """Heed Ctrl-C: a job in the background ignores it, and so would every process it starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
