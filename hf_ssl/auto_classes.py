"""Make the Auto classes of transformers know every method, without importing one before it is asked for."""

import sys
from functools import partial
from types import ModuleType

from .registry import METHODS, register_all
from .utils.after_import import after_import, make_alias

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


def announce_methods() -> None:
    """
    Register with the Auto classes where they are loaded already; else enter names into their tables when they are.

    transformers looks for the classes of a model type in `transformers.models.<model type>`, and imports that when it
    needs one. There an alias leads to the method's folder.
    """
    if f"{_AUTO}.configuration_auto" in sys.modules:
        register_all()
        return
    for method in METHODS.values():
        make_alias(f"transformers.models.ssl_{method.name}", method.module_name)
    for name, tables in _TABLES.items():
        after_import(f"{_AUTO}.{name}", partial(_enter, tables))


def _enter(tables: dict[str, str], module: ModuleType) -> None:
    for table, pattern in tables.items():
        for method in METHODS.values():
            name = pattern.format(method.stem)
            # Image processors have a class for each library that decodes and resizes.
            vars(module)[table][f"ssl_{method.name}"] = {"pil": name} if "ImageProcessor" in name else name
