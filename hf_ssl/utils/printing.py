"""What is printed: harmless whatever names it holds, and never a reason for a command to fail."""

import io
import os
import sys
from contextlib import AbstractContextManager, ExitStack, redirect_stderr, redirect_stdout
from typing import TextIO


def printable(text: str) -> str:
    """
    Text with an escape, such as `\\x1b` or `\\u202e`, in place of every character that is not seen: line ends, other
    control characters, marks that turn the direction of writing, and bytes of a file name that are no text.
    """
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name, see os.fsdecode
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def say(text: str, err: bool = False) -> None:
    """Print `text` to standard output, or to standard error; its own line ends stay."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr if err else sys.stdout, flush=True)


class _Dropping(io.FileIO):
    """A descriptor that takes whatever is written; what the system refuses is dropped."""

    def write(self, data) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def lasting_streams(output: bool) -> AbstractContextManager:
    """
    A context in which standard error takes whatever is written to it: closed, a pipe that nobody reads, a full disk. A
    character that it cannot encode is written as an escape, there and on standard output.

    Args:
        output (`bool`): whether standard output must not fail either.
    """
    _fill_closed()
    context = ExitStack()
    context.enter_context(redirect_stderr(_lasting(sys.stderr, 2)))
    if output:
        context.enter_context(redirect_stdout(_lasting(sys.stdout, 1)))
    elif sys.stdout is None:
        context.enter_context(redirect_stdout(open(1, "w", encoding="utf-8", closefd=False)))
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return context


def _fill_closed() -> None:
    """Have descriptors 0 to 2 open: a file that got one of them would be written to by whatever prints."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _lasting(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding = "utf-8"
    if stream is not None:
        try:
            descriptor, encoding = stream.fileno(), stream.encoding
            stream.flush()
        except (OSError, ValueError):  # kept in memory, by a test or a notebook
            return stream
    buffer = io.BufferedWriter(_Dropping(descriptor, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding=encoding, errors="backslashreplace", line_buffering=True)
