"""Starts `hf-ssl` in processes that can be killed: copies of this one, which has imported all, or real ones."""

import atexit
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
TRACEBACK = "Traceback (most recent call last)"


def import_everything() -> None:
    """What the command imports on its way, so that a copy of this process starts in no time."""
    import accelerate  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import transformers.models.beit.modeling_beit
    import transformers.models.vit.modeling_vit
    import transformers.pipelines  # noqa: F401

    from hf_ssl.registry import METHODS

    for method in METHODS.values():
        _ = method.config_class, method.pretraining_class, method.processor_class


def die_with_parent() -> None:
    """Have the system kill this process when the one that started it ends (Linux)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def end_tidily() -> None:
    """A signal ends this process with all that it has begun, whatever the shell that started it did with signals."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def unshare_mounts() -> None:
    """What is mounted from now on is seen by this process and those that it starts only (Linux, root)."""
    if ctypes.CDLL(None).unshare(0x00020000):
        raise OSError("Mounts of its own take root.")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@dataclass
class Command:
    """
    A command that runs, in one process or several of `torchrun`.

    Args:
        pids (`list[int]`): its processes, each the leader of a group of its own; of a real `torchrun` only that.
        folder (`Path`): where `stdout` and `stderr` of each process are kept.
    """

    pids: list[int]
    folder: Path
    codes: dict[int, int] = field(default_factory=dict)

    def poll(self) -> int | None:
        """`None` while any process runs, then the first exit code that is not 0; minus the number of a signal."""
        for pid in self.pids:
            if pid not in self.codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    self.codes[pid] = os.waitstatus_to_exitcode(status)
        if len(self.codes) < len(self.pids):
            return None
        return next((code for code in self.codes.values() if code), 0)

    def wait(self, seconds: float) -> int | None:
        """The same as soon as it has ended; `None`, and all killed, when it has not after so many seconds."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None and time.monotonic() < deadline:
            time.sleep(0.005)
        if code is None:
            self.kill()
        return code

    def send(self, signum: int, to: Sequence[int] | None = None, group: bool = False) -> None:
        """A signal to all processes, or to these only; `group`: to all that they have started too."""
        for pid in self.pids if to is None else to:
            if pid not in self.codes:
                with contextlib.suppress(ProcessLookupError):
                    (os.killpg if group else os.kill)(pid, signum)

    def descendants(self) -> list[psutil.Process]:
        """All processes that those of the command have started, whatever their group; torchrun gives each its own."""
        found = []
        for pid in self.pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += psutil.Process(pid).children(recursive=True)
        return found

    def kill(self) -> None:
        """End all of it."""
        others = self.descendants()
        self.send(signal.SIGKILL, group=True)
        for process in others:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        while self.poll() is None:
            time.sleep(0.005)

    def output(self, stream: str) -> str:
        """What the processes wrote to "stdout" or "stderr"."""
        files = sorted(self.folder.glob(f"{stream}-*"))
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def start(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
    processes: int = 1,
    real: bool = False,
) -> Command:
    """
    Start `hf-ssl WORDS`.

    Args:
        folder (`Path`): working folder; `log/` in it keeps the output.
        environment (`dict`, *optional*): variables to set, `None` for those to remove.
        before (`Callable`, *optional*): is called in the new process, before the command.
        processes (`int`, *optional*, defaults to 1): of one job.
        real (`bool`, *optional*, defaults to `False`): an interpreter of its own, and `torchrun`, in place of a copy.
    """
    log = folder / "log"
    log.mkdir(parents=True, exist_ok=True)
    for old in log.iterdir():
        old.unlink()
    if real:
        launcher = (
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            if processes > 1
            else [sys.executable]
        )
        return _start_real([*launcher, "-m", "hf_ssl", *words], folder, environment or {}, before)
    ranks = [{}] if processes == 1 else _ranks(processes)
    return Command([_fork(words, folder, (environment or {}) | rank, before, i) for i, rank in enumerate(ranks)], log)


def _ranks(processes: int) -> list[dict[str, str]]:
    """The variables that `torchrun` sets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    same = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    same |= {"LOCAL_WORLD_SIZE": str(processes), "TORCHELASTIC_RUN_ID": "none"}
    return [same | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def _start_real(line: list[str], folder: Path, environment: dict, before: Callable[[], None] | None) -> Command:
    variables = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(Path(__file__).parents[2])}
    for name, value in environment.items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = value

    def first() -> None:
        die_with_parent()
        if before is not None:
            before()

    with open(folder / "log" / "stdout-0", "wb") as out, open(folder / "log" / "stderr-0", "wb") as err:
        process = subprocess.Popen(
            line, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True, preexec_fn=first,
        )  # fmt: skip
    process.returncode = 0  # this module waits for it
    return Command([process.pid], folder / "log")


def _fork(words: Sequence[str], folder: Path, environment: dict, before: Callable[[], None] | None, rank: int) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        die_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(folder)
        os.environ.update({name: value for name, value in environment.items() if value is not None})
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"log/{name}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False, encoding="utf-8"))
        atexit._clear()
        sys.argv = ["hf-ssl", *words]
        if before is not None:
            before()
        code = _main()
    finally:
        os._exit(code)


def _main() -> int:
    """The exit code of the command, and what the interpreter does at its end."""
    from hf_ssl.cli.main import main

    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code
