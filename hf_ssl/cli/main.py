"""`hf-ssl`: runs a command, and ends in one sentence where it cannot."""

import os
import re
import signal
import sys
import traceback
import warnings
from types import FrameType, ModuleType

import typer

from ..after_import import after_import
from ..printing import lasting_streams, say
from ..redaction import command_line, redacted
from ..stopping import Stopped
from .app import app
from .options import read_command_line, shown_command

_DEBUG, _COMPLETE = "HF_SSL_TRACEBACK", "_HF_SSL_COMPLETE"
_WITHOUT_COMMAND = ("--version", "--install-completion", "--show-completion")
_ClickException = typer.BadParameter.mro()[2]  # typer has click inside, or takes the installed one


def main() -> None:
    """
    Entry point.

    What the user can mend ends in one sentence and exit code 2; an interruption by SIGINT or SIGTERM in one and 130 or
    143. Anything else is a bug of hf_ssl: one sentence that says where, and exit code 1. With `HF_SSL_TRACEBACK=1` the
    traceback follows. Standard output that cannot be written does not end a pretraining.
    """
    argv = command_line() or ["--help"]
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with lasting_streams(output=argv[0] == "pretrain"):
            sys.exit(_exit_code(argv))
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise Stopped(signum, "")


def _exit_code(argv: list[str]) -> int:
    after_import("transformers.utils.logging", _keep_quiet)
    after_import("huggingface_hub.utils._http", _bound_waiting)
    after_import("datasets.config", _bound_streaming)
    try:
        return _run(argv)
    except KeyboardInterrupt as interruption:
        stopped = interruption if isinstance(interruption, Stopped) else Stopped(signal.SIGINT, "")
        said = str(stopped).rstrip(".") or "Interrupted"
        again = shown_command(argv)
        if argv[0] == "pretrain" and again not in said:
            said += f"; it goes on from its last checkpoint with {again}"
        _say(f"{said}.")
        code = 128 + stopped.signum
    except Exception as error:
        if isinstance(error, BrokenPipeError) and argv[0] != "pretrain":  # whoever read our output has gone
            return _leave_stdout(0)
        sentence = _mistake(error)
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
    if not sys.warnoptions:
        for package in ("accelerate", "datasets", "huggingface_hub", "torch", "transformers"):
            warnings.filterwarnings("ignore", module=rf"{package}\b")


def _bound_waiting(_: ModuleType) -> None:
    """A server that is silent ends in a sentence."""
    from ..network import bound_waiting_for_ever

    bound_waiting_for_ever()


def _bound_streaming(config: ModuleType) -> None:
    from ..network import bound_streaming

    bound_streaming(config)


def _say(sentence: str) -> None:
    say(redacted(f"hf-ssl: {sentence}"), err=True)


def _mistake(error: Exception) -> str | None:
    """What the user did wrong and what to do, or `None` when it was not the user."""
    text = _one_line(str(error))
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}. Check the path, its rights, and the free space."
    if "Expected more than 1 value per channel" in text:
        return "Batch norm takes two images or more: raise --per_device_train_batch_size, or the --image-size."
    if isinstance(error, (ValueError, OSError, ImportError)):
        return text
    if "StrictDataclassError" in [kind.__name__ for kind in type(error).__mro__]:
        return _wrong_type(text)
    if isinstance(error, _ClickException):
        return _one_line(error.format_message())
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return (
            "There is not enough memory. Lower --per_device_train_batch_size, or set --cached_chunk_size, which keeps "
            "the batch and costs time."
        )
    if "DataLoader worker" in text and "killed" in text:
        return "A worker of the data loader was killed, mostly for want of memory. Lower --dataloader_num_workers."
    return None


def _wrong_type(text: str) -> str:
    """What huggingface_hub says of a field of a configuration, in our words."""
    found = re.search(r"Field '(\w+)' with value (.+?) doesn't match any type in \((.+?)\)\. Errors", text)
    found = found or re.search(r"Field '(\w+)' expected (?P<kind>.+?), got \w+(?: \(value: (.+)\))?", text)
    if found is None:
        return text
    name, value, kinds = found[1], *((found[2], found[3]) if "kind" not in found.groupdict() else (found[3], found[2]))
    kinds = re.sub(r"<class '(\w+)'>", r"\1", kinds).replace("NoneType", "null").rstrip(",")
    return f"{name} takes {kinds.replace(', ', ' or ')}{f', not {value}' if value else ''}: see --config NAME=VALUE."


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
        f"This is a bug, please report it: {type(error).__name__} in {place}: {_one_line(str(error))} "
        f"({_DEBUG}=1 before the command shows the traceback)"
    )


def _ours(file: str) -> bool:
    return file.startswith(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _one_line(text: str) -> str:
    text = text.strip()
    if "Original Traceback" in text:  # from a DataLoader worker: the message is behind the type in the last line
        text = text.splitlines()[-1].partition(": ")[2]
    return " ".join(text.split())
