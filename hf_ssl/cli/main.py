"""`hf-ssl`: runs a command, and ends in one sentence where it cannot."""

import os
import signal
import sys
import time
import traceback
import warnings
from types import FrameType, ModuleType

import typer

from ..utils.after_import import after_import
from ..utils.launchers import adopt_launcher, process_rank
from ..utils.printing import lasting_streams, say
from ..utils.redaction import command_line, redacted
from ..utils.stopping import Stopped
from .app import app
from .interruptions import same_command
from .mistakes import mistake, one_line
from .options import read_command_line

_DEBUG, _COMPLETE = "HF_SSL_TRACEBACK", "_HF_SSL_COMPLETE"
_LATER = 20  # seconds
_WITHOUT_COMMAND = ("--version", "--install-completion", "--show-completion")


def main() -> None:
    """
    Entry point.

    What the user can mend ends in one sentence and exit code 2; an interruption by SIGINT or SIGTERM in one and 130 or
    143. Anything else is a bug of hf_ssl: one sentence that says where, and exit code 1. With `HF_SSL_TRACEBACK=1` the
    traceback follows. Standard output that cannot be written does not end a pretraining.
    """
    argv = command_line() or ["--help"]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGTERM] != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _stop)
    unraisable = sys.unraisablehook
    if not os.environ.get(_DEBUG):
        sys.unraisablehook = lambda error: None  # of what a library left half made when it failed
    try:
        with lasting_streams(output=argv[0] == "pretrain"):
            sys.exit(_exit_code(argv))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable


def _stop(signum: int, frame: FrameType | None) -> None:
    raise Stopped(signum, "")


def _exit_code(argv: list[str]) -> int:
    after_import("transformers.utils.logging", _keep_quiet)
    after_import("huggingface_hub.utils._http", _bound_waiting)
    after_import("datasets.config", _bound_streaming)
    try:
        return _run(argv)
    except KeyboardInterrupt as interruption:
        for number in (signal.SIGINT, signal.SIGTERM):  # launchers and terminals repeat themselves
            signal.signal(number, signal.SIG_IGN)
        said = str(interruption).rstrip(".") or "Interrupted"
        if not process_rank():  # the first of several that train together speaks for all
            _say(f"{said}. To go on: {same_command()}" if argv[0] == "pretrain" else f"{said}.")
        code = 128 + (interruption.signum if isinstance(interruption, Stopped) else signal.SIGINT)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and argv[0] != "pretrain":  # whoever read our output has gone
            return _leave_stdout(0)
        sentence = mistake(error)
        _say(sentence or _bug(error))
        if os.environ.get(_DEBUG):
            say(redacted(traceback.format_exc()), err=True)
        code = 2 if sentence else 1
    return _leave_stdout(code)


def _leave_stdout(code: int) -> int:
    """The exit code, with nothing left for Python to write when it ends, which would be another code if it failed."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(argv: list[str]) -> int:
    """The exit code of a command."""
    adopt_launcher()
    training = {}
    commands = {info.name or info.callback.__name__: info.callback for info in app.registered_commands}
    for_help = {"--help", "-h"} & {*argv} and (argv[0] in commands or argv[0].startswith("-"))
    if argv[0].partition("=")[0] not in _WITHOUT_COMMAND and not for_help:
        training, argv = read_command_line(argv, commands)
        if training:
            from .feasible import require_feasible

            require_feasible(training)
    if _COMPLETE in os.environ:  # a shell asks
        return app(args=argv, prog_name="hf-ssl")
    # Not by app(...), which makes an exit code of 130 of every interruption, and of 1 of a closed pipe.
    command = typer.main.get_command(app)
    try:
        with command.make_context("hf-ssl", argv, obj=training) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    sys.stdout.flush()
    return 0


def _keep_quiet(logging: ModuleType) -> None:
    """No bar for every file that is read or written, and no warnings that only a programmer can do something about."""
    from huggingface_hub.utils import enable_progress_bars
    from huggingface_hub.utils.logging import set_verbosity_error

    logging.disable_progress_bar()
    enable_progress_bars()  # of downloads: the call before switches those off too
    set_verbosity_error()  # what cannot be reached is said once, at the end
    if process_rank():
        logging.set_verbosity_error()  # the first process has said it
    if not sys.warnoptions:
        for package in ("accelerate", "datasets", "huggingface_hub", "torch", "transformers"):
            warnings.filterwarnings("ignore", module=rf"{package}\b")


def _bound_waiting(_: ModuleType) -> None:
    """A server that is silent ends in a sentence."""
    from ..utils.network import bound_waiting_for_ever

    bound_waiting_for_ever()


def _bound_streaming(config: ModuleType) -> None:
    from ..utils.network import bound_streaming

    bound_streaming(config)


def _say(sentence: str) -> None:
    if rank := process_rank():
        # Of several processes that fail alike, the first says so; in the meantime the launcher ends the others.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(_LATER)
        sentence = f"process {rank}: {sentence}"
    say(redacted(f"hf-ssl: {sentence}"), err=True)


def _bug(error: Exception) -> str:
    place = next(
        (
            f"{file}, line {line}"
            for file, line, *_ in reversed(traceback.extract_tb(error.__traceback__))
            if _ours(file)
        ),
        "no file of hf_ssl",
    )
    return (
        f"This is a bug, please report it: {type(error).__name__} in {place}: {one_line(str(error))} "
        f"({_DEBUG}=1 before the command shows the traceback)"
    )


def _ours(file: str) -> bool:
    return file.startswith(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
