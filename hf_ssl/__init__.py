"""Self-supervised vision for Hugging Face: images in, a native transformers encoder out."""

# ruff: noqa: F401, F403 (the names under TYPE_CHECKING)

import importlib
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .auto_classes import announce_methods
from .registry import METHODS, Method
from .utils.after_import import after_import

if TYPE_CHECKING:  # what `__getattr__` gives, for whoever reads without running
    from .data import as_image_dataset, load_data
    from .evaluation import evaluate_encoder, extract_features
    from .hub import push_folder
    from .loading import load_encoder, load_method
    from .methods.barlow_twins import *
    from .methods.byol import *
    from .methods.deepcluster_v2 import *
    from .methods.dino import *
    from .methods.infomin import *
    from .methods.mae import *
    from .methods.moco_v2 import *
    from .methods.obow import *
    from .methods.simclr import *
    from .methods.simsiam import *
    from .methods.supervised import *
    from .methods.swav import *
    from .methods.vicreg import *
    from .modeling_utils import SSLOutput, SSLPreTrainedModel
    from .recipes import build, recipe
    from .training import SSLTrainer, SSLTrainingArguments

# torch and transformers take seconds to import, so that every name is imported from its module when it is first used.
_HOME = {
    "SSLOutput": "modeling_utils",
    "SSLPreTrainedModel": "modeling_utils",
    "SSLTrainer": "training",
    "SSLTrainingArguments": "training",
    "as_image_dataset": "data",
    "build": "recipes",
    "evaluate_encoder": "evaluation",
    "extract_features": "evaluation",
    "load_data": "data",
    "load_encoder": "loading",
    "load_method": "loading",
    "push_folder": "hub",
    "recipe": "recipes",
} | {name: f"methods.{method.name}" for method in METHODS.values() for name in method.public_names}
_MODULES = (
    "augment",
    "data",
    "evaluation",
    "hub",
    "image_processing_utils",
    "methods",
    "modeling_utils",
    "nn",
    "training",
)

__all__ = ["METHODS", "__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = vars(importlib.import_module(f".{_HOME[name]}", __name__))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


def _publish_all_of_it(method: Method, module: ModuleType) -> None:
    """What is published is more than a model's own checkpoint; the layer of the Hub stands above that of models."""
    from .hub import push_model

    vars(module)[f"{method.stem}ForPreTraining"].push_to_hub = push_model


for _method in METHODS.values():
    after_import(_method.module_name, partial(_publish_all_of_it, _method))
announce_methods()
