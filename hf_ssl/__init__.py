"""Self-supervised vision for Hugging Face: images in, a native transformers encoder out."""

# ruff: noqa: F401, F403 (the names under TYPE_CHECKING)

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import methods
from ._version import __version__
from .auto_classes import announce_methods
from .registry import METHODS, MethodInfo, get_method, list_methods, register_method
from .utils.after_import import after_import

if TYPE_CHECKING:  # what `__getattr__` gives, for whoever reads without running
    from .data import as_image_dataset, load_data
    from .evaluation import evaluate_encoder, extract_features
    from .hub import push_folder
    from .loading import load_encoder, load_method
    from .methods import *
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
} | {name: f"methods.{method.name}" for method in METHODS.built_in.values() for name in method.module.__all__}
_MODULES = ("augment", "data", "evaluation", "hub", "image_processing_utils", "modeling_utils", "nn", "training")

__all__ = [
    "METHODS",
    "MethodInfo",
    "__version__",
    "get_method",
    "list_methods",
    "register_method",
    *_HOME,
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOME[name]}", __name__)
    value = globals()[name] = module.__getattribute__(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


def _publish_all_of_it(modeling_utils: ModuleType) -> None:
    """What is published is more than a model's own checkpoint; the layer of the Hub stands above that of models."""

    def push_to_hub(self, repo_id: str, **kwargs):
        """Publish the encoder, the whole method and a card in one commit; see `hf_ssl.hub.push_model`."""
        from .hub import push_model

        return push_model(self, repo_id, **kwargs)

    of_a_part = modeling_utils.SSLPreTrainedModel.push_to_hub
    modeling_utils.SSLPreTrainedModel.push_to_hub = push_to_hub
    for part in (modeling_utils.SSLModel, modeling_utils.SSLForImageClassification):
        part.push_to_hub = of_a_part


after_import(f"{__name__}.modeling_utils", _publish_all_of_it)
announce_methods(METHODS)
