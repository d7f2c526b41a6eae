"""Do something as soon as a module has been imported, whoever imports it."""

import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Watch(MetaPathFinder):
    """First in `sys.meta_path`: finds a watched module where it lies, and adds an action to its loading."""

    def __init__(self):
        self.actions: dict[str, Callable[[ModuleType], None]] = {}
        self.aliases: dict[str, Callable[[], ModuleType]] = {}

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        if fullname in self.aliases:
            return ModuleSpec(fullname, _Alias(self.aliases[fullname]))
        if fullname not in self.actions:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        load, action = spec.loader.exec_module, self.actions[fullname]

        def exec_module(module: ModuleType) -> None:
            load(module)
            action(module)

        spec.loader.exec_module = exec_module
        return spec


class _Alias(Loader):
    """A module in which everything is found that another one holds."""

    def __init__(self, original: Callable[[], ModuleType]):
        self.original = original

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__getattr__"] = self.original().__getattribute__


_WATCH = _Watch()
sys.meta_path.insert(0, _WATCH)


def after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """
    Call `action(module)` once the module `name` is loaded: at once, where it is loaded already.

    The action runs inside of the import, where other modules may be half loaded: it should not import what it can do
    without.
    """
    if name in sys.modules:
        action(sys.modules[name])
    else:
        _WATCH.actions[name] = action


def make_alias(name: str, original: Callable[[], ModuleType]) -> None:
    """Let `import name` give what the module holds that `original()` imports; it is called then."""
    _WATCH.aliases[name] = original
