"""Self-supervised vision for Hugging Face: images in, a native transformers encoder out."""

from . import registry
from ._version import __version__
from .hub import push_folder, push_model
from .modeling_utils import SSLOutput, SSLPreTrainedModel
from .registry import METHODS
from .training import SSLTrainer, SSLTrainingArguments

globals().update(registry.register_all())
# What is published is more than the model's own checkpoint, and the layer of the Hub stands above that of models.
for _method in METHODS.values():
    _method.pretraining_class.push_to_hub = push_model

__all__ = [
    "METHODS",
    "SSLOutput",
    "SSLPreTrainedModel",
    "SSLTrainer",
    "SSLTrainingArguments",
    "__version__",
    "push_folder",
]
__all__ += [name for method in METHODS.values() for name in method.module.__all__ if name != "RECIPES"]
