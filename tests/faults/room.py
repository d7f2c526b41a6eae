"""A folder for one try of a run in a spoilt environment: start, wait for a phase, spoil, mend, compare."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import commands, runs

PATIENCE = 150.0  # seconds that a run may take on a machine that has much else to do


class Wrong(Exception):
    """What was found, as a sentence."""


def require(right: bool, sentence: str) -> None:
    if not right:
        raise Wrong(sentence)


class Room:
    """
    Args:
        folder (`Path`): of this try.
        data (`Path` or `str`): the images.
        whole (`dict[str, str]`): the outcome of an undisturbed run.
        more: words of the command line.
    """

    def __init__(self, folder: Path, data: Path | str, whole: dict[str, str], *more: str):
        self.folder, self.data, self.whole, self.more = folder, data, whole, more
        self.run = folder / "run"
        folder.mkdir(parents=True)

    def start(
        self, *more: str, output: str = "run", method: str = "simclr", folder: Path | None = None, **options: Any
    ):
        line = runs.words(method, self.data, *self.more, *more, output=output)
        return commands.start(line, folder or self.folder, **options)

    def ends(self, command: commands.Command, right: bool | None, seconds: float = PATIENCE) -> int:
        """
        Wait for the end, which is in time, without traceback, and, if not with exit code 0, with one sentence.

        Args:
            right (`bool`, *optional*): whether exit code 0 is wanted; `None`: whichever.
        """
        code = command.wait(seconds)
        out, err = command.output("stdout"), command.output("stderr")
        require(code is not None, f"It hung for {seconds:.0f} seconds; its last words: {_last(err) or _last(out)}")
        require(commands.TRACEBACK not in out + err, f"A traceback, exit code {code}: {_last(err)}")
        require("This is a bug" not in err, f"Exit code {code}: {_last(err)}")
        require(code >= 0, f"It was ended by {signal.Signals(-code).name if code < 0 else ''}: {_last(err)}")
        if code:
            sentence = _last(err)
            require(sentence.startswith("hf-ssl: "), f"Exit code {code} without a sentence: {sentence!r}")
            require(right is not True, f"Exit code {code}: {sentence}")
        require(code != 0 or right is not False, "It ended with exit code 0, as if nothing were wrong.")
        return code

    def goes_on(self, *more: str, **options: Any) -> None:
        """The same command, with nothing in its way, ends as the undisturbed run did."""
        command = self.start(*more, **options)
        code = command.wait(PATIENCE)
        require(code is not None, "Started again, it hung.")
        said = _last(command.output("stderr"))
        require(commands.TRACEBACK not in command.output("stderr"), f"Started again, a traceback: {said}")
        require(code == 0, f"Started again, it ended with {code}: {said}")
        self.equals()

    def recovers(self, code: int, **options: Any) -> None:
        """It has gone on in spite of the fault, or the same command does what is missing now that it is mended."""
        if code or runs.difference(self.run, self.whole):
            self.goes_on(**options)

    def equals(self) -> None:
        wrong = runs.difference(self.run, self.whole)
        require(wrong is None, wrong or "")

    @contextlib.contextmanager
    def held_at(self, command: commands.Command, phase: str) -> Iterator[None]:
        """Hold all its processes from the beginning of a phase to the end of the `with` statement."""
        deadline = time.monotonic() + PATIENCE
        while not runs.is_at(self.run, phase):
            require(command.poll() is None, f"It ended before {phase}: {_last(command.output('stderr'))}")
            require(time.monotonic() < deadline, f"It never came to {phase}.")
            time.sleep(0.001)
        command.send(signal.SIGSTOP, group=True)
        yield
        command.send(signal.SIGCONT, group=True)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A disk in memory at `folder`; yields a function that changes its options, such as "size=1m" or "ro"."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)

    def change(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield change
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left on the disk."""
    balloon = folder / "balloon"
    with balloon.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return balloon


def _last(text: str) -> str:
    return text.strip().rpartition("\n")[2][:600]


def limited(kind: int, value: int) -> Callable[[], None]:
    """To be called in a new process: it lowers a limit of `resource`."""
    import resource

    return lambda: resource.setrlimit(kind, (value, value))


def as_nobody() -> None:
    """To be called in a new process: root may write everywhere, and is no test of that."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
