"""The command `hf-ssl`. Mistakes of the user end in one sentence and exit code 2."""

from .main import main

__all__ = ["main"]
