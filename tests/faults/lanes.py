"""Tries in several processes at once, each of which has imported all before it starts."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import commands


def in_lanes(
    shares: Sequence[Sequence[Any]], attempt: Callable[[Any], str | None], private_mounts: bool = False
) -> Iterator[tuple[Any, str | None, float]]:
    """
    Give every share of the cases to a process of its own, which tries one after the other.

    Args:
        attempt (`Callable`): tries a case and returns a sentence, unless all was right.
        private_mounts (`bool`, *optional*, defaults to `False`): what a process mounts is seen by it only, and is
            gone with it; takes root.

    Yields:
        `(case, sentence, seconds)`, as they come.
    """
    pipes = [open(_lane(share, attempt, private_mounts), encoding="utf-8") for share in shares if share]
    owners = dict(zip(pipes, (share for share in shares if share), strict=True))
    while owners:
        for pipe in select.select(list(owners), [], [])[0]:
            if line := pipe.readline():
                index, sentence, seconds = json.loads(line)
                yield owners[pipe][index], sentence, seconds
            else:
                owners.pop(pipe)
                pipe.close()
                os.wait()


def _lane(cases: Sequence[Any], attempt: Callable[[Any], str | None], private_mounts: bool) -> int:
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return reading
    try:
        commands.die_with_parent()
        os.close(reading)
        if private_mounts:
            commands.unshare_mounts()
        with open(writing, "w", encoding="utf-8") as out:
            for index, case in enumerate(cases):
                began = time.monotonic()
                try:
                    sentence = attempt(case)
                except (AssertionError, OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
                    sentence = f"The harness failed: {type(error).__name__}: {error}"
                print(json.dumps([index, sentence, time.monotonic() - began]), file=out, flush=True)
    finally:
        os._exit(0)
