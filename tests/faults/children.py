"""Every case in a process of its own: a fork of this one, which has imported what takes seconds."""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREPARATION = 120.0  # seconds that a case may take to make its own material
GIGABYTE = 2**30


@dataclass
class Ended:
    """
    How a child ended.

    Args:
        value: what its function returned; `None` when it did not return.
        problem (`str`): empty, or "hang", "crash" or "harness" with what is known of it.
        output (`str`): what it printed.
        seconds (`float`): from `begin` to the end.
    """

    value: Any
    problem: str
    output: str
    seconds: float


@dataclass
class _Running:
    key: Any
    pid: int
    folder: str
    started: float


def begin() -> None:
    """The clock of the deadline starts anew: everything before was preparation."""
    Path("began").touch()


def bounded(memory: int) -> None:
    """From now on, this process may take so many more bytes of memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_children(
    tasks: Iterable[tuple[Any, Callable[[], Any]]], jobs: int, deadline: float, home: str
) -> Iterator[tuple[Any, Ended]]:
    """
    Run each function in a fork, `jobs` at a time; they are given back as they end, with their keys.

    A function runs in an empty folder of its own below `home`, which is removed. What it returns must be JSON.

    Args:
        deadline (`float`): seconds after `begin`; then the child and all its processes are killed.
    """
    waiting, running = iter(tasks), []
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < jobs:
            task = next(waiting, None)
            if task is None:
                exhausted = True
            else:
                running.append(_start(*task, home))
        for child in list(running):
            ended = _ended(child, deadline)
            if ended is not None:
                running.remove(child)
                yield child.key, ended
        time.sleep(0.002)


def _start(key: Any, function: Callable[[], Any], home: str) -> _Running:
    folder = tempfile.mkdtemp(dir=home)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _child(function, folder)
    return _Running(key, pid, folder, time.time())


def _child(function: Callable[[], Any], folder: str) -> None:
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin, sys.stdout, sys.stderr = (open(i, m, closefd=False) for i, m in enumerate("rww"))
        value = function()
        os.chdir(folder)
        Path("value.json").write_text(json.dumps(value))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        leave(code)


def leave(code: int) -> None:
    """End this process at once, whatever its parent would still do."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _ended(child: _Running, deadline: float) -> Ended | None:
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    now = time.time()
    began = Path(child.folder, "began")
    start = began.stat().st_mtime if began.exists() else None
    problem = ""
    if pid == 0:
        if now < (child.started + PREPARATION if start is None else start + deadline):
            return None
        problem = "hang" if start is not None else "harness: preparation took too long"
        os.killpg(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
    else:
        try:  # workers that it left
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if os.WIFSIGNALED(status):
            problem = f"crash: {signal.Signals(os.WTERMSIG(status)).name}"
        elif os.WEXITSTATUS(status):
            problem = f"harness: exit code {os.WEXITSTATUS(status)}"
    written = Path(child.folder, "output")
    output = written.read_bytes().decode(errors="replace") if written.exists() else ""
    value = json.loads(Path(child.folder, "value.json").read_text()) if not problem else None
    _remove(child.folder)
    return Ended(value, problem, output[-4000:], now - (start or child.started))


def _remove(folder: str) -> None:
    for inside, _, _ in os.walk(folder):
        os.chmod(inside, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
