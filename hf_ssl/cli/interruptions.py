"""What is said when SIGINT or SIGTERM ends a command: during what, and how to go on."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..utils.launchers import process_count
from ..utils.stopping import Stopped
from .options import shown_command


@contextmanager
def during(phase: str) -> Iterator[None]:
    """Let an interruption say what was interrupted, such as "while the images were read"."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        if str(interruption):  # it knows better
            raise
        signum = interruption.signum if isinstance(interruption, Stopped) else signal.SIGINT
        raise Stopped(signum, f"Interrupted {phase}") from None


def same_command() -> str:
    """The command line that goes on with the run of this one, and by how many processes, where that is several."""
    command = shown_command([word for word in sys.argv[1:] if word != "--overwrite"])
    return command if process_count() == 1 else f"{command} (as {process_count()} processes, as before)"
