"""How a run ends that a signal asked to end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FunctionType
from typing import Any

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
        self._before: dict[int, Any] = {}  # what `signal.getsignal` gives
        self._process = os.getpid()

    def __enter__(self) -> "CaughtSignals":
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            self._before = {number: handler for number, handler in handlers.items() if _ends_a_process(handler)}
            for number in self._before:
                signal.signal(number, self._caught)
        return self

    def __exit__(self, kind, error, traceback) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.signum and kind is None:
            signal.raise_signal(self.signum)

    def leave_workers_to_their_loader(self) -> None:
        """
        Until the end of the `with` block, the end of a worker is found by torch's data loader when it waits for the
        next batch, and not raised by its handler of SIGCHLD wherever the program is, in the middle of a step.
        """
        if not self._before or os.name != "posix":
            return
        handler = signal.getsignal(signal.SIGCHLD)
        if isinstance(handler, FunctionType) and handler.__module__ == "torch.utils.data._utils.signal_handling":
            self._before[signal.SIGCHLD] = handler
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

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


def _ends_a_process(handler: Callable | int | None) -> bool:
    """Whether a handler is that of the system, of Python, or of hf_ssl, and not of whoever uses them."""
    ours = isinstance(handler, FunctionType) and handler.__module__.partition(".")[0] == __package__
    return ours or handler in (signal.SIG_DFL, signal.default_int_handler)


class InWorker:
    """
    What a worker of a data loader does first: it leaves signals to its parent, which may need it to end the step. A
    launcher or a scheduler sends them to every process of a job. After SIGTERM it lives for two minutes at most, so
    that one that hangs does not outlive its parent.

    Args:
        then (callable, *optional*): a `worker_init_fn` to go on with.
    """

    def __init__(self, then: Callable[[int], None] | None):
        self.then = then

    def __call__(self, worker_id: int) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if os.name == "posix":
            signal.signal(signal.SIGTERM, _end_later)
        if self.then is not None:
            self.then(worker_id)


def _end_later(number: int, frame) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.alarm(120)
