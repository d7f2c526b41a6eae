"""The only list of methods. Adding one: its folder, one row here, its tests, its names in `hf_ssl/__init__.py`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from .utils.spelling import closest

if TYPE_CHECKING:  # the table itself must not wait for torch
    from .configuration_utils import SSLConfig
    from .conversion_utils import Conversion
    from .image_processing_utils import SSLImageProcessor
    from .modeling_utils import SSLPreTrainedModel
    from .recipe_utils import Recipe


@dataclass(frozen=True)
class Method:
    """
    Args:
        name (`str`): folder under `hf_ssl/methods`, and the name on the command line.
        stem (`str`): of its class names.
        title (`str`): how people write it.
        paper (`str`): arXiv number.
        year (`int`): of the first version of the paper.
        family (`str`): "joint embedding", "self-distillation", "masked images" or "supervised".
        batch (`str`): "two-view", "multi-crop" or "masked".
        own_output (`bool`): whether it has a class of outputs of its own.
    """

    name: str
    stem: str
    title: str
    paper: str
    year: int
    family: str
    batch: str
    own_output: bool = False

    @property
    def public_names(self) -> tuple[str, ...]:
        """Of its classes."""
        kinds = ("Config", "ForImageClassification", "ForPreTraining", "ImageProcessor", "Model")
        return tuple(self.stem + kind for kind in (*kinds, *["Output"] * self.own_output))

    @property
    def module_name(self) -> str:
        return f"{__package__}.methods.{self.name}"

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    @property
    def config_class(self) -> type[SSLConfig]:
        return vars(self.module)[f"{self.stem}Config"]

    @property
    def image_processor_class(self) -> type[SSLImageProcessor]:
        return vars(self.module)[f"{self.stem}ImageProcessor"]

    @property
    def pretraining_class(self) -> type[SSLPreTrainedModel]:
        return vars(self.module)[f"{self.stem}ForPreTraining"]

    @property
    def recipes(self) -> dict[str, Recipe]:
        return self.module.RECIPES

    @property
    def convert(self) -> Callable[[dict], Conversion] | None:
        """Reads public checkpoints of others, see [`Conversion`]; `None` where there are none for PyTorch."""
        name = f"{self.module_name}.convert_{self.name}"
        return importlib.import_module(name).convert if importlib.util.find_spec(name) else None


METHODS = {
    row.name: row
    for row in (
        Method("simclr", "SimCLR", "SimCLR", "2002.05709", 2020, "joint embedding", "two-view", True),
        Method("supervised", "Supervised", "Supervised", "1512.03385", 2015, "supervised", "two-view"),
        Method("moco_v2", "MoCoV2", "MoCo v2", "2003.04297", 2020, "joint embedding", "two-view"),
        Method("infomin", "InfoMin", "InfoMin", "2005.10243", 2020, "joint embedding", "two-view"),
        Method("byol", "BYOL", "BYOL", "2006.07733", 2020, "self-distillation", "two-view"),
        Method("simsiam", "SimSiam", "SimSiam", "2011.10566", 2020, "joint embedding", "two-view"),
        Method("barlow_twins", "BarlowTwins", "Barlow Twins", "2103.03230", 2021, "joint embedding", "two-view"),
        Method("vicreg", "VICReg", "VICReg", "2105.04906", 2021, "joint embedding", "two-view"),
        Method("swav", "SwAV", "SwAV", "2006.09882", 2020, "joint embedding", "multi-crop"),
        Method(
            "deepcluster_v2", "DeepClusterV2", "DeepCluster v2", "2006.09882", 2020, "joint embedding", "multi-crop"
        ),
        Method("dino", "Dino", "DINO", "2104.14294", 2021, "self-distillation", "multi-crop", True),
        Method("obow", "OBoW", "OBoW", "2012.11552", 2020, "joint embedding", "multi-crop", True),
        Method("mae", "MAE", "MAE", "2111.06377", 2021, "masked images", "masked", True),
    )
}


def get_method(name: str) -> Method:
    """The row of a method; a `ValueError` names the nearest for an unknown name."""
    if name not in METHODS:
        raise ValueError(f"There is no method {name!r}.{closest(name, METHODS)} Known: {', '.join(METHODS)}.")
    return METHODS[name]


def method_of(config: SSLConfig) -> Method:
    """The row of a configuration."""
    return METHODS[config.model_type.removeprefix("ssl_")]


def register_all() -> None:
    """Import every method, and register it with the Auto classes."""
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForImageClassification,
        AutoModelForPreTraining,
    )

    for method in METHODS.values():
        module, config = method.module, method.config_class
        AutoConfig.register(config.model_type, config)
        AutoModel.register(config, vars(module)[f"{method.stem}Model"])
        AutoModelForPreTraining.register(config, method.pretraining_class)
        AutoModelForImageClassification.register(config, vars(module)[f"{method.stem}ForImageClassification"])
        AutoImageProcessor.register(config, image_processor_classes={"pil": method.image_processor_class})
