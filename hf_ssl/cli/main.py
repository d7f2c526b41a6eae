"""`hf-ssl`: runs a command, and ends in one sentence where it cannot."""

import os
import re
import sys
import traceback
import warnings
from types import ModuleType

import typer

from ..after_import import after_import
from .app import app
from .options import read_command_line, shown_command

_DEBUG = "HF_SSL_TRACEBACK"
_WITHOUT_COMMAND = ("--version", "--install-completion", "--show-completion")
_ClickException = typer.BadParameter.mro()[2]  # typer has click inside, or takes the installed one


def main() -> None:
    """
    Entry point.

    What the user can mend ends in one sentence and exit code 2; an interruption in one and 130. Anything else is a
    bug of hf_ssl: one sentence that says where, and exit code 1. With `HF_SSL_TRACEBACK=1` the traceback follows.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # closed by whoever started us
    sys.stderr = sys.stderr or open(os.devnull, "w")
    argv = sys.argv[1:] or ["--help"]
    after_import("transformers.utils.logging", _keep_quiet)
    after_import("huggingface_hub.utils._http", _bound_waiting)
    after_import("datasets.config", _bound_streaming)
    try:
        sys.exit(_run(argv) or 0)
    except (KeyboardInterrupt, typer.Abort):
        on = f"; it goes on from its last checkpoint with {shown_command(argv)}" if argv[0] == "pretrain" else ""
        _say(f"Interrupted{on}.")
        code = 130
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        sentence = _mistake(error)
        _say(sentence or _bug(error))
        if os.environ.get(_DEBUG):
            traceback.print_exc()
        code = 2 if sentence else 1
    sys.exit(code)


def _run(argv: list[str]) -> int | None:
    """The exit code of a command; `None` for 0."""
    training = {}
    commands = {info.name or info.callback.__name__: info.callback for info in app.registered_commands}
    for_help = {"--help", "-h"} & {*argv} and (argv[0] in commands or argv[0].startswith("-"))
    if argv[0].partition("=")[0] not in _WITHOUT_COMMAND and not for_help:
        training, argv = read_command_line(argv, commands)
        if training:
            from .feasible import require_feasible

            require_feasible(training)
    code = app(args=argv, prog_name="hf-ssl", obj=training, standalone_mode=False)
    if code == 130:
        raise KeyboardInterrupt
    sys.stdout.flush()
    return code


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
    typer.echo(f"hf-ssl: {sentence}", err=True)


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
