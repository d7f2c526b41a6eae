"""An encoder from any repository, or one sentence that says why not; nothing of it is run."""

import re
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_MAPPING, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME, logging

from ..checkpoint_utils import listed, load_checked
from ..config_checks import checked_config
from ..repository_files import pinned

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
    if "mask_ratio" in config.to_dict():
        config.mask_ratio = 0.0
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # what does not fit is said below, in one sentence
    try:
        model, missing, _ = load_checked(
            AutoModel, encoder, config=config, dtype=dtype or torch.float32, ignore_mismatched_sizes=True, **where
        )
    finally:
        logging.set_verbosity(verbosity)
    if missing and all(name.startswith("pooler.") for name in missing):
        model.register_module("pooler", None)
    elif missing:
        raise ValueError(
            f"The weights of {encoder} do not fit its config.json: {listed(missing, 5)} are missing, and would be "
            "random."
        )
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
    known: Any = MODEL_MAPPING[type(config)]
    known = known[0] if isinstance(known, tuple) else known
    parts = config.to_dict().keys()
    if known.main_input_name != "pixel_values" and not {"vision_config", "text_config"} <= parts:
        raise ValueError(
            f"{encoder} is a {kind!r} model, which reads {known.main_input_name}: it is no encoder of images."
        )
    return config
