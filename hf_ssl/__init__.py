"""Self-supervised vision for Hugging Face: images in, a native transformers encoder out."""

from . import registry
from ._version import __version__
from .modeling_utils import SSLOutput, SSLPreTrainedModel
from .registry import METHODS
from .training import SSLTrainer, SSLTrainingArguments

globals().update(registry.register_all())

__all__ = ["METHODS", "SSLOutput", "SSLPreTrainedModel", "SSLTrainer", "SSLTrainingArguments", "__version__"]
__all__ += [name for method in METHODS.values() for name in method.module.__all__ if name != "RECIPES"]
