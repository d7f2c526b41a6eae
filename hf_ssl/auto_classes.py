"""Make the Auto classes of transformers know every method, without importing one before it is asked for."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from .utils.after_import import after_import, make_alias

if TYPE_CHECKING:
    from .method import Method
    from .registry import Methods

_AUTO = "transformers.models.auto"
# Module of the Auto classes -> its tables from model types to names of classes.
_TABLES = {
    "configuration_auto": {"CONFIG_MAPPING_NAMES": "{}Config"},
    "modeling_auto": {
        "MODEL_MAPPING_NAMES": "{}Model",
        "MODEL_FOR_PRETRAINING_MAPPING_NAMES": "{}ForPreTraining",
        "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES": "{}ForImageClassification",
    },
    "image_processing_auto": {"IMAGE_PROCESSOR_MAPPING_NAMES": "{}ImageProcessor"},
}


def announce_methods(methods: Methods) -> None:
    """
    Enter the names of all methods into the tables of the Auto classes as soon as these are imported.

    transformers looks for the classes of a model type in `transformers.models.<model type>`, and imports that when it
    needs one. There an alias leads to the module that registers the method. Where the tables are read already, methods
    register themselves with their classes, see `register_if_tables_are_read`; those of other packages are imported
    for it.
    """
    if f"{_AUTO}.configuration_auto" in sys.modules:
        methods.load_all()
        return
    for name, tables in _TABLES.items():
        after_import(f"{_AUTO}.{name}", partial(_enter, methods, tables))


def _enter(methods: Methods, tables: dict[str, str], module: ModuleType) -> None:
    for method, stem in methods.stems().items():
        make_alias(f"transformers.models.ssl_{method}", lambda method=method: methods[method].module)
        for table, pattern in tables.items():
            name = pattern.format(stem)
            # Image processors have a class for each library that decodes and resizes.
            vars(module)[table][f"ssl_{method}"] = {"pil": name} if "ImageProcessor" in name else name


def register_if_tables_are_read(method: Method) -> None:
    """Give the Auto classes the method's classes, which imports them, where its name stands in no table of theirs."""
    auto = sys.modules.get(f"{_AUTO}.configuration_auto")
    if auto is None or f"ssl_{method.name}" in vars(auto)["CONFIG_MAPPING_NAMES"]:
        return
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModel,
        AutoModelForImageClassification,
        AutoModelForPreTraining,
    )

    config = method.config_class
    AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModel.register(config, method.model_class, exist_ok=True)
    AutoModelForPreTraining.register(config, method.pretraining_class, exist_ok=True)
    AutoModelForImageClassification.register(config, method.classification_class, exist_ok=True)
    AutoImageProcessor.register(config, image_processor_classes={"pil": method.image_processor_class}, exist_ok=True)
