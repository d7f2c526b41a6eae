"""What the user can mend: errors of the system and of libraries, each in one sentence with a remedy."""

import errno
import os
import re

import typer

_ClickException = typer.BadParameter.mro()[2]  # typer has click inside, or takes the installed one
# What gloo, NCCL and the store of torchrun say of a process that is gone.
_LOST = re.compile(r"gloo|NCCL|TCPStore|Connection (closed|reset) by peer|store->get|wait\(\) timed out")
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OF_OPEN_FILES = (errno.EMFILE, errno.ENFILE)
_OF_MEMORY = re.compile("out of memory|can't allocate memory|could not create a primitive")


def mistake(error: Exception) -> str | None:
    """What the user did wrong and what to do, or `None` when it was not the user."""
    text = one_line(str(error))
    if (isinstance(error, OSError) and error.errno in _OF_OPEN_FILES) or "Too many open files" in text:
        return "Too many files are open: raise the limit with ulimit -n, or lower --dataloader_num_workers."
    if isinstance(error, OSError) and error.strerror:
        if error.filename is not None:
            return f"{os.fsdecode(error.filename)}: {error.strerror}. Check the path, its rights, and the free space."
        if error.errno in _OF_THE_DISK:
            return f"{error.strerror}: make room, and start the same command again."
    if "Expected more than 1 value per channel" in text:
        return "Batch norm takes a batch of two or more: raise --per_device_train_batch_size, or the --image-size."
    if isinstance(error, (ValueError, OSError, ImportError)):
        return text
    if "StrictDataclassError" in [kind.__name__ for kind in type(error).__mro__]:
        return _wrong_type(text)
    if isinstance(error, _ClickException):
        return one_line(error.format_message())
    if isinstance(error, MemoryError) or _OF_MEMORY.search(text):
        return (
            "There is not enough memory. Lower --per_device_train_batch_size, or set --cached_chunk_size, which keeps "
            "the batch and costs time."
        )
    if type(error).__name__ == "SafetensorError" and "I/O error" in text:
        return f"Weights cannot be written or read ({text}). Check the free space."
    if _LOST.search(text):
        return "Another process of this run has ended, and so must this one: what it said is the reason."
    if "shared memory" in text or "/dev/shm" in text:
        return f"Workers of the data loader share no memory here ({text}). Set --dataloader_num_workers 0."
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


def one_line(text: str) -> str:
    text = text.strip()
    if "Original Traceback" in text:  # from a DataLoader worker: the message is behind the type in the last line
        text = text.splitlines()[-1].partition(": ")[2]
    return " ".join(text.split())
