"""
The registry of methods: those of hf_ssl itself, and those that other installed packages bring.

A method is described once, by the call of `register_method` in the `__init__.py` of its folder or, where a method is
one file, at the end of that file. Nothing in this module imports torch.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from .auto_classes import register_if_tables_are_read
from .entry_points import InstalledMethod, installed_methods
from .method import Method, MethodInfo
from .modalities import Modality, get_modality
from .utils.spelling import closest

if TYPE_CHECKING:  # torch takes seconds
    from .configuration_utils import SSLConfig
    from .conversion_utils import Conversion
    from .modeling_utils import SSLPreTrainedModel
    from .processing_utils import SSLProcessorMixin
    from .recipe_utils import Recipe

__all__ = ["METHODS", "Method", "MethodInfo", "get_method", "list_methods", "method_of", "register_method"]


class Methods(Mapping[str, Method]):
    """
    Name -> method. Names are known without an import; a method of another package is imported when it is asked for.

    Where that fails, asking for the method raises a `ValueError` of one sentence, and `values()` and `items()` leave
    it out.
    """

    def __init__(self):
        self.registered: dict[str, Method] = {}

    @cached_property
    def installed(self) -> dict[str, InstalledMethod | str]:
        """What other packages announce, or in one sentence why it is refused."""
        found = installed_methods()
        for name in found.keys() & self.built_in.keys():
            there = found[name]
            package = there.package if isinstance(there, InstalledMethod) else "Another package"
            found[name] = (
                f"The package {package} brings a method {name!r}, which hf_ssl has itself: rename its method."
            )
        return found

    @property
    def built_in(self) -> dict[str, Method]:
        """Those of hf_ssl itself."""
        return {name: method for name, method in self.registered.items() if method.package == __package__}

    def __iter__(self) -> Iterator[str]:
        return iter({**self.registered, **self.installed})

    def __len__(self) -> int:
        return len({**self.registered, **self.installed})

    def __contains__(self, name: object) -> bool:
        return name in self.registered or name in self.installed

    def __getitem__(self, name: str) -> Method:
        """
        Raises:
            KeyError: for an unknown name.
            ValueError: when another package announces the method, but cannot be imported or does not register it.
        """
        if name not in self.registered:
            self._load(name)
        return self.registered[name]

    def values(self) -> ValuesView[Method]:
        self.load_all()
        return self.registered.values()

    def items(self) -> ItemsView[str, Method]:
        self.load_all()
        return self.registered.items()

    def stems(self) -> dict[str, tuple[str, Modality]]:
        """
        Name of the method -> what the names of its classes begin with, and its modality; nothing is imported. Another
        package's method counts as one of images until it is imported.
        """
        images = get_modality("image")
        announced = {
            n: (found.stem, images) for n, found in self.installed.items() if isinstance(found, InstalledMethod)
        }
        return announced | {name: (method.stem, method.modality) for name, method in self.registered.items()}

    def load_all(self) -> list[str]:
        """Import what other packages bring; a sentence for each method that is refused or cannot be imported."""
        problems = []
        for name in self.installed:
            try:
                self._load(name)
            except ValueError as error:
                problems.append(str(error))
        return problems

    def _load(self, name: str) -> None:
        found = self.installed[name]
        if isinstance(found, str):
            raise ValueError(found)
        start = f"The package {found.package} brings the method {name!r}, but {found.module}"
        try:
            importlib.import_module(found.module)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise ValueError(
                f"{start} cannot be imported ({reason}): upgrade or uninstall {found.package}."
            ) from error
        method = self.registered.get(name)
        if method is None or method.stem != found.stem:
            raise ValueError(
                f"{start} does not register {found.stem}ForPreTraining under this name: check the entry point and "
                f"the call of register_method."
            )


METHODS = Methods()


def register_method(
    *,
    name: str,
    info: MethodInfo,
    config: type[SSLConfig] | str,
    pretraining: type[SSLPreTrainedModel] | str,
    processor: type[SSLProcessorMixin] | str,
    recipes: dict[str, Recipe] | str,
    convert: Callable[[dict], Conversion] | str | None = None,
) -> Method:
    """
    Make a method known to `hf-ssl`, to the Auto classes of transformers and to the model cards.

    `XModel` and `XForImageClassification` (or as `info.modality` has it) are derived, and can be imported from the
    calling module, as all classes of the method can. Each of the five parts is the thing itself, or a text
    "module:name" relative to the package that calls, such as "modeling_simclr:SimCLRForPreTraining": such a part is
    imported when it is first needed, so that listing methods does not wait for torch.

    Args:
        name (`str`): lower case, digits and underscores.
        info (`MethodInfo`): title, paper, year, family, idea and modality.
        config (`type[SSLConfig]` or `str`): `XConfig`, of `model_type` "ssl_" + name.
        pretraining (`type[SSLPreTrainedModel]` or `str`): `XForPreTraining`.
        processor (`type[SSLProcessorMixin]` or `str`): `XImageProcessor`, or `XFeatureExtractor` for sounds.
        recipes (`dict[str, Recipe]` or `str`): "paper" is what the paper did, "small" suits a few CPU cores, "tiny"
            holds the settings of the tests; "photos", where it exists, is the default for images with an upright.
        convert (`Callable` or `str`, *optional*): reads public checkpoints of others, see [`Conversion`].

    Raises:
        ValueError: for a name that cannot be one or that another module has taken, for classes whose names do not
            begin alike, and for another `model_type`.
    """
    namespace = sys._getframe(1).f_globals  # of the caller, as for `collections.namedtuple`
    module_name = namespace["__name__"]
    parts = {"config": config, "pretraining": pretraining, "processor": processor, "recipes": recipes}
    method = Method(name, info, module_name, _package_of(name, module_name), parts | {"convert": convert})
    _require_sound(method)
    METHODS.registered[name] = method
    namespace["__getattr__"] = method.find
    register_if_tables_are_read(method)
    return method


def _package_of(name: str, module_name: str) -> str:
    """The name that pip knows, where the package announces the method; else that of the module at the top."""
    top = module_name.partition(".")[0]
    found = METHODS.installed.get(name) if top != __package__ else None
    if isinstance(found, InstalledMethod) and found.module.partition(".")[0] == top:
        return found.package
    return top


def _require_sound(method: Method) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", method.name):
        raise ValueError(f"A method is called by lower case letters, digits and underscores, not {method.name!r}.")
    stem = method.stem
    names = [method.name_of(part) for part in ("config", "pretraining", "processor")]
    suffix = method.modality.processor_suffix
    if names != [f"{stem}Config", f"{stem}ForPreTraining", f"{stem}{suffix}"]:
        raise ValueError(
            f"The classes of the method {method.name!r} have to be called XConfig, XForPreTraining and X{suffix} with "
            f"one X, not {', '.join(names)}."
        )
    config = method.parts["config"]
    if not isinstance(config, str) and config.model_type != f"ssl_{method.name}":
        raise ValueError(f"{names[0]}.model_type has to be 'ssl_{method.name}', not {config.model_type!r}.")
    taken = METHODS.registered.get(method.name)
    if taken is not None and taken.module_name != method.module_name:
        raise ValueError(
            f"The packages {taken.package} and {method.package} both bring a method {method.name!r}: rename one of "
            "them."
        )


def get_method(name: str) -> Method:
    """The method of this name; a `ValueError` names the nearest for an unknown one."""
    if name not in METHODS:
        raise ValueError(f"There is no method {name!r}.{closest(name, METHODS)} Known: {', '.join(METHODS)}.")
    return METHODS[name]


def list_methods(pattern: str = "*") -> list[str]:
    """Names of the methods that fit a pattern of the shell, such as "*dino*"; none of them is imported."""
    return [name for name in METHODS if fnmatchcase(name, pattern)]


def method_of(config: SSLConfig) -> Method:
    """The method of a configuration."""
    return METHODS[config.model_type.removeprefix("ssl_")]
