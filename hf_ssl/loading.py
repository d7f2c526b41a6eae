"""The one door through which encoders and methods come in from any repository; nothing of what comes in is run."""

import re
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_MAPPING, AutoModel, AutoModelForPreTraining, PreTrainedConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME, cached_file

from .checks.checkpoints import listed, load_checked
from .checks.configs import checked_config
from .checks.processors import checked_image_processor
from .checks.repository_files import pinned
from .configuration_utils import SSLConfig
from .encoders import encoder_for
from .modalities import get_modality
from .modeling_utils import SSLPreTrainedModel
from .processing_utils import SSLProcessorMixin
from .registry import Method, method_of

PRETRAINING = "pretraining"  # the subfolder of a repository in which the whole method lies

# Arguments of timm.create_model that read files; a config from outside must not name any.
_TIMM_FILES = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}


def load_encoder(
    encoder: str, *, revision: str | None = None, subfolder: str = "", dtype: torch.dtype | None = None
) -> PreTrainedModel:
    """
    What `AutoModel` makes of a repository, ready for `extract_features`; weights are read from safetensors only, and
    code that comes with them is not run.

    Of an image-text model (CLIP, SigLIP) the whole comes back, and its image side is what gets evaluated. A ViTMAE
    hides nothing here (`mask_ratio` 0). Where a checkpoint has no pooler, the random one that `AutoModel` would make
    up is left out, and the embedding is CLS or the mean token.

    Args:
        encoder (`str`): folder or id on the Hub: of an encoder, or of a model with a head, which is dropped.
        revision (`str`, *optional*): branch, tag or commit on the Hub.
        subfolder (`str`, *optional*): where in the repository; `"pretraining"` for the method of an exported one.
        dtype (`torch.dtype`, *optional*): float32 by default.

    Returns:
        `PreTrainedModel`: in eval mode, on the CPU.

    Raises:
        ValueError: for another kind of model, code that would have to be run, pickled, damaged or missing weights, or
            weights that do not fit the config.
        OSError: when there is no such repository, or no config or weights in it.
    """
    where = pinned(encoder, {"revision": revision, "subfolder": subfolder})
    config = load_encoder_config(encoder, **where)
    config = encoder_for(config).to_load()
    model, missing, _ = load_checked(
        AutoModel, encoder, config=config, dtype=dtype or torch.float32, ignore_mismatched_sizes=True, **where
    )
    if missing and all(name.startswith("pooler.") for name in missing):
        model.register_module("pooler", None)
    elif missing:
        raise ValueError(
            f"The weights of {encoder} do not fit its config.json: {listed(missing, 5)} are missing, and would be "
            "random."
        )
    encoder_for(model.config).require_whole(model)
    return model.eval()


def load_encoder_config(encoder: str, subfolder: str = "", **where: Any) -> PreTrainedConfig:
    """The configuration of what [`load_encoder`] takes, and the same errors for everything else."""
    folder = Path(encoder, subfolder)
    if folder.is_dir() and not (folder / CONFIG_NAME).exists():
        raise ValueError(f"{folder} holds no {CONFIG_NAME}: it is no repository of a model.")
    if not folder.is_dir() and not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", encoder):
        raise ValueError(f"There is no folder {folder}, and {encoder!r} is no id on the Hub.")
    config = checked_config(encoder, pinned(encoder, {**where, "subfolder": subfolder}))
    kind = config.model_type
    if kind == "timm_wrapper":
        arguments = config.model_args or {}
        if not re.fullmatch(r"\w[\w.]*", config.architecture) or _TIMM_FILES & arguments.keys():
            raise ValueError(f"The config.json of {encoder} makes timm read other files: it is not loaded.")
    if type(config) not in MODEL_MAPPING:
        raise ValueError(f"{encoder} is a {kind!r} model, of which transformers has no plain encoder.")
    adapter = encoder_for(config)
    if (name := adapter.input_name) != get_modality(adapter.modality).input_name:
        raise ValueError(f"{encoder} is a {kind!r} model, which reads {name}: it is no encoder of images.")
    return config


def load_method(
    checkpoint: str, *, revision: str | None = None
) -> tuple[Method, SSLPreTrainedModel, SSLProcessorMixin]:
    """
    The method in a repository's `pretraining/`, or in a checkpoint of the Trainer, where it is at the root.

    Args:
        checkpoint (`str`): folder or id on the Hub.
        revision (`str`, *optional*): branch, tag or commit on the Hub.

    Returns:
        The row of the registry, the whole `...ForPreTraining` on the CPU, and its image processor.

    Raises:
        ValueError: when there is a model or an image processor of another kind, or weights are missing, left over,
            damaged or pickled.
        OSError: when there is nothing.
    """
    subfolder = PRETRAINING if _has_method(checkpoint, revision) else ""
    where = pinned(checkpoint, {"revision": revision, "subfolder": subfolder})
    config = checked_config(checkpoint, where)
    if not isinstance(config, SSLConfig):
        raise ValueError(f"{checkpoint} holds a {config.model_type!r} model, no pretraining checkpoint of hf_ssl.")
    model, missing, left_over = load_checked(AutoModelForPreTraining, checkpoint, **where)
    if wrong := missing + left_over:
        raise ValueError(f"The weights of {checkpoint} are missing, or left over: {listed(wrong)}.")
    method = method_of(config)
    processor = checked_image_processor(checkpoint, where, method.modality.load("auto_processor"))
    if not isinstance(processor, SSLProcessorMixin):
        raise ValueError(
            f"The image processor of {checkpoint} is a {type(processor).__name__}, which draws no views: put back the "
            f"one that was saved with the {method.info.title} model."
        )
    return method, model, processor


def _has_method(repository: str, revision: str | None) -> bool:
    if Path(repository).is_dir():
        return Path(repository, PRETRAINING).is_dir()
    where = {"revision": revision, "subfolder": PRETRAINING}
    return bool(cached_file(repository, CONFIG_NAME, **where, _raise_exceptions_for_missing_entries=False))
