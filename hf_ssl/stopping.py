"""How a run ends that a signal asked to end."""

import os
import signal
import threading
import time
from collections.abc import Callable

_TWICE = 2.0  # seconds: launchers and terminals send one signal several times at once
# A user, a terminal that is closed, a scheduler: what ends a process that does nothing about it.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_SIGNALS = [signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__]


class Stopped(KeyboardInterrupt):
    """
    A signal ended what was going on; what could be kept was kept.

    Args:
        signum (`int`): the signal.
        message (`str`): what was kept, in one sentence for the user.
    """

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.signum = signal.Signals(signum)


def stop_at_once(signum: int, frame) -> None:
    """
    A handler of signals, for what has nothing to save.

    Raises:
        Stopped: always.
    """
    raise Stopped(signum, f"Stopped by {signal.Signals(signum).name}.")


class CaughtSignals:
    """
    Inside `with`, the signals that ask a process to end are kept in `signum`; one that comes again after two seconds
    has the effect that it had before. Signals that are ignored, as under `nohup`, or that somebody else handles stay
    so. Outside the main thread, where Python has no signals, nothing is caught.

    A signal that nobody looked at takes effect at the end of the `with` block, unless that ends in an exception.

    Args:
        on_signal (callable): told the number of the first signal, inside its handler; may raise [`Stopped`].
    """

    def __init__(self, on_signal: Callable[[int], None]):
        self.signum = 0  # of the first signal; 0 while there is none
        self._on_signal = on_signal
        self._first: dict[int, float] = {}
        self._before: dict[int, Callable | int] = {}
        self._process = os.getpid()

    def __enter__(self) -> "CaughtSignals":
        if threading.current_thread() is threading.main_thread():
            ends = (signal.SIG_DFL, signal.default_int_handler, stop_at_once)
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            self._before = {number: handler for number, handler in self._before.items() if handler in ends}
            for number in self._before:
                signal.signal(number, self._caught)
        return self

    def __exit__(self, kind, error, traceback) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.signum and kind is None:
            signal.raise_signal(self.signum)

    def _caught(self, number: int, frame) -> None:
        if os.getpid() != self._process:
            return  # of a process that was forked, such as a worker of a data loader: its parent decides
        now = time.monotonic()
        if now - self._first.setdefault(number, now) > _TWICE:
            signal.signal(number, self._before[number])
            signal.raise_signal(number)
        elif not self.signum:
            self.signum = number
            self._on_signal(number)
