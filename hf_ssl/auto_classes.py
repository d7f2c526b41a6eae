"""Make the Auto classes of transformers know every method, without importing one before it is asked for."""

from __future__ import annotations

import sys
from functools import partial
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING

from .utils.after_import import after_import, make_alias

if TYPE_CHECKING:
    from .method import Method
    from .modalities import Modality
    from .registry import Methods

_AUTO = "transformers.models.auto"
# Auto class -> the module and the table from model types to names of classes that it reads.
_TABLES = {
    "AutoConfig": ("configuration_auto", "CONFIG_MAPPING_NAMES"),
    "AutoModel": ("modeling_auto", "MODEL_MAPPING_NAMES"),
    "AutoModelForPreTraining": ("modeling_auto", "MODEL_FOR_PRETRAINING_MAPPING_NAMES"),
    "AutoModelForImageClassification": ("modeling_auto", "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"),
    "AutoModelForVideoClassification": ("modeling_auto", "MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES"),
    "AutoModelForAudioClassification": ("modeling_auto", "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES"),
    "AutoImageProcessor": ("image_processing_auto", "IMAGE_PROCESSOR_MAPPING_NAMES"),
    "AutoFeatureExtractor": ("feature_extraction_auto", "FEATURE_EXTRACTOR_MAPPING_NAMES"),
}
_ALWAYS = {"AutoConfig": "Config", "AutoModel": "Model", "AutoModelForPreTraining": "ForPreTraining"}


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
    for name in dict.fromkeys(module for module, _ in _TABLES.values()):
        after_import(f"{_AUTO}.{name}", partial(_enter, methods, name))


def _suffixes(modality: Modality) -> dict[str, str]:
    """Auto class -> how the names of the classes that it loads end."""
    heads = {auto: suffix for suffix, auto in modality.auto_heads.items()}
    return _ALWAYS | heads | {modality.auto_processor: modality.processor_suffix}


def _enter(methods: Methods, module_name: str, module: ModuleType) -> None:
    for method, (stem, modality) in methods.stems().items():
        make_alias(f"transformers.models.ssl_{method}", lambda method=method: methods[method].module)
        for auto, suffix in _suffixes(modality).items():
            where, table = _TABLES[auto]
            if where == module_name:
                name = stem + suffix
                # Image processors have a class for each library that decodes and resizes.
                vars(module)[table][f"ssl_{method}"] = {"pil": name} if suffix == "ImageProcessor" else name


def register_if_tables_are_read(method: Method) -> None:
    """Give the Auto classes the method's classes, which imports them, where its name stands in no table of theirs."""
    auto = sys.modules.get(f"{_AUTO}.configuration_auto")
    if auto is None or f"ssl_{method.name}" in vars(auto)["CONFIG_MAPPING_NAMES"]:
        return
    import transformers

    config = method.config_class
    for auto, suffix in _suffixes(method.modality).items():
        found = method.find(method.stem + suffix)
        if auto == "AutoConfig":
            transformers.AutoConfig.register(config.model_type, config, exist_ok=True)
        elif suffix == "ImageProcessor":
            transformers.AutoImageProcessor.register(config, image_processor_classes={"pil": found}, exist_ok=True)
        else:
            attrgetter(auto)(transformers).register(config, found, exist_ok=True)
