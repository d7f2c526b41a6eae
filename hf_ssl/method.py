"""What a method is: what people know about it, and its classes, which are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .modalities import Modality, get_modality

if TYPE_CHECKING:  # torch takes seconds
    from .configuration_utils import SSLConfig
    from .conversion_utils import Conversion
    from .modeling_utils import SSLForImageClassification, SSLModel, SSLPreTrainedModel
    from .processing_utils import SSLProcessorMixin
    from .recipe_utils import Recipe


@dataclass(frozen=True)
class MethodInfo:
    """
    What people know about a method; `hf-ssl methods` and the model cards say it.

    Args:
        title (`str`): how people write its name.
        paper (`str`): arXiv number.
        year (`int`): of the first version of the paper.
        family (`str`): "joint embedding", "self-distillation", "masked images", "image-text", "few labels" or
            "supervised"; or another, where none of these fits.
        modality (`str`): what its `backbone` reads: a row of `hf_ssl/modalities.py`. The names of the processor and of
            the classifier follow from it: XImageProcessor and XForImageClassification, XFeatureExtractor and
            XForAudioClassification.
        idea (`str`): one sentence without a capital at its beginning and a full stop at its end; a card continues
            "An image encoder trained without labels by SimCLR (joint embedding, 2020): " with it.
    """

    title: str
    paper: str
    year: int
    family: str
    idea: str
    modality: str = "image"


@dataclass(frozen=True, eq=False)
class Method:
    """
    A registered method. Made by `register_method`; its classes are imported when they are first asked for.

    Args:
        name (`str`): on the command line; `model_type` of its configuration is this with `ssl_` before it.
        info (`MethodInfo`): title, paper, year, family and idea.
        module_name (`str`): module that registered it; all of its classes can be imported from there.
        package (`str`): name of the installed package that brings it.
        parts (`dict`): the arguments `config`, `pretraining`, `processor`, `recipes` and `convert` of
            `register_method`.
    """

    name: str
    info: MethodInfo
    module_name: str
    package: str
    parts: Mapping[str, Any]

    @property
    def stem(self) -> str:
        """What the names of its classes begin with, such as "SimCLR"."""
        return self.name_of("pretraining").removesuffix("ForPreTraining")

    @property
    def modality(self) -> Modality:
        """What its `backbone` reads."""
        return get_modality(self.info.modality)

    @property
    def kinds(self) -> dict[str, str]:
        """How the names of its classes end -> which attribute of this has them."""
        head = next(iter(self.modality.auto_heads))
        kinds = {"Config": "config_class", head: "classification_class", "ForPreTraining": "pretraining_class"}
        return kinds | {self.modality.processor_suffix: "processor_class", "Model": "model_class"}

    def name_of(self, which: str) -> str:
        """Name of one of its parts, which is not imported for it."""
        part = self.parts[which]
        return part.partition(":")[2] if isinstance(part, str) else part.__name__

    @property
    def public_module(self) -> str:
        """Name of the module that a user imports its classes from."""
        return self.package if self.module_name.startswith(f"{__package__}.") else self.module_name

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    @property
    def config_class(self) -> type[SSLConfig]:
        return self._part("config")

    @property
    def processor_class(self) -> type[SSLProcessorMixin]:
        return self._part("processor")

    @property
    def pretraining_class(self) -> type[SSLPreTrainedModel]:
        return self._part("pretraining")

    @property
    def recipes(self) -> dict[str, Recipe]:
        return self._part("recipes")

    @property
    def convert(self) -> Callable[[dict], Conversion] | None:
        """Reads public checkpoints of others, see [`Conversion`]; `None` where there are none for PyTorch."""
        return self._part("convert")

    @cached_property
    def model_class(self) -> type[SSLModel]:
        """The encoder of a checkpoint of this method: what `AutoModel` loads."""
        from .modeling_utils import SSLModel

        return self._derive("Model", SSLModel)

    @cached_property
    def classification_class(self) -> type[SSLForImageClassification]:
        """The encoder with a linear classifier: what `AutoModelForImageClassification`, say, loads."""
        from .modeling_utils import SSLForImageClassification

        return self._derive(next(iter(self.modality.auto_heads)), SSLForImageClassification)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of its configuration, processor and models; nothing is imported."""
        return tuple(self.stem + kind for kind in self.kinds)

    def _part(self, which: str) -> Any:
        part = self.parts[which]
        if not isinstance(part, str):
            return part
        module, _, name = part.partition(":")
        return vars(importlib.import_module(f".{module}", self.module_name))[name]

    def _derive(self, kind: str, base: type) -> type:
        fields = {"__module__": self.module_name, "__doc__": base.__doc__, "config_class": self.config_class}
        return type(base)(f"{self.stem}{kind}", (base,), fields)

    def find(self, name: str) -> Any:
        """What the method calls by this name: the `__getattr__` of the module that registered it."""
        for kind, attribute in self.kinds.items():
            if name == self.stem + kind:
                return attrgetter(attribute)(self)
        if name == "RECIPES":
            return self.recipes
        if name.startswith(self.stem):  # an output, say, which stands beside the model
            beside = vars(sys.modules[self.pretraining_class.__module__])
            if name in beside:
                return beside[name]
        raise AttributeError(f"module {self.module_name!r} has no attribute {name!r}")
