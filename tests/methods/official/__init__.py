"""
Small networks with the module names of the public code, and checkpoints of them as that code saves them.

One file a method, whose `LAYOUTS` names the kinds of files that are public: name -> what makes an [`Official`] one.
"""

from importlib import import_module
from pathlib import Path

_MODULES = [import_module(f".{file.stem}", __name__) for file in sorted(Path(__file__).parent.glob("[a-z]*.py"))]
LAYOUTS = {name: make for module in _MODULES for name, make in vars(module).get("LAYOUTS", {}).items()}
