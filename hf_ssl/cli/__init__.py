"""The command `hf-ssl`. Mistakes of the user end in one sentence and exit code 2."""

from .app import main

__all__ = ["main"]
