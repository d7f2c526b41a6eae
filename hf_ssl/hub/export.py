"""The published repository: native encoders at the root and in folders of their own, the method in `pretraining/`."""

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import PreTrainedConfig
from transformers.utils import CONFIG_NAME

from ..checks.bounded_json import read_json
from ..encoders import encoder_for
from ..loading import PRETRAINING
from ..modeling_utils import SSLPreTrainedModel
from ..pretraining_utils import Published
from ..processing_utils import SSLProcessorMixin
from ..registry import METHODS
from ..utils.files import sync_folder, sync_tree

_STAGING = ".export-"


def published_parts(model: SSLPreTrainedModel, processor: SSLProcessorMixin) -> dict[str, Published]:
    """
    `model.published(processor)`, where it holds a method's own classes: an [`SSLModel`] may still have to be turned
    into a native encoder.

    Raises:
        ValueError: unless the root is there, and beside it the folders that the class of the model names.
    """
    parts = model.published(processor)
    if parts.keys() != {"", *model.published_folders}:
        raise ValueError(
            f"{type(model).__name__}.published fills {sorted(parts)}: it must fill the root, '', and what the class "
            f"names in published_folders, {sorted(model.published_folders)}."
        )
    return parts


def native_part(part: Published) -> Published:
    """The same as plain transformers will load it."""
    model = part.model.native_encoder() if isinstance(part.model, SSLPreTrainedModel) else part.model
    ours = isinstance(part.processor, SSLProcessorMixin)
    return Published(model, part.processor.native() if ours else part.processor)


def published_weights(part: Published) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
    """
    Configuration and state dict of what `AutoModel` loads of the model of `native_part`: without a head. Draws no
    random numbers.
    """
    model = part.model
    if not isinstance(model, SSLPreTrainedModel):
        return model.config, model.base_model.state_dict()
    return encoder_for(model.backbone.config).export(model.backbone, model.config.pooling)


def published_head(part: Published) -> dict[str, torch.Tensor]:
    """The weights of a native model with a head that `published_weights` leaves out; mostly there are none."""
    model = part.model
    if isinstance(model, SSLPreTrainedModel) or model.base_model is model:
        return {}
    inside = f"{model.base_model_prefix}."
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(inside)}


def folders_of(model_type: str) -> tuple[str, ...]:
    """The subfolders of a repository in which a method's weights lie, by the `model_type` of its configuration."""
    method = METHODS.get(model_type.removeprefix("ssl_"))
    return (*(method.pretraining_class.published_folders if method else ()), PRETRAINING)


def folders_in(folder: Path) -> tuple[str, ...]:
    """The same of the repository in a folder; of one without a method, `pretraining/` alone."""
    try:
        return folders_of(str(read_json(folder / PRETRAINING / CONFIG_NAME)["model_type"]))
    except (OSError, ValueError, KeyError):
        return (PRETRAINING,)


def export_pretrained(
    model: SSLPreTrainedModel,
    processor: SSLProcessorMixin,
    output_dir: str | Path,
    card: str | None = None,
    max_shard_size: int | str = "50GB",
) -> Path:
    """
    Write the repository; what stood there under the same names is replaced as a whole, and never half.

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`; what of it plain transformers will load, it says itself
            in `published`.
        processor (`SSLProcessorMixin`): its image processor.
        output_dir (`str` or `Path`): made when it does not exist; other files in it stay.
        card (`str`, *optional*): text of `README.md`.
        max_shard_size (`int` or `str`, *optional*, defaults to `"50GB"`): of one file of weights.
    """
    output_dir = Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir, prefix=_STAGING) as staging:
        for subfolder, part in published_parts(model, processor).items():
            native = native_part(part)
            native.model.save_pretrained(Path(staging, subfolder), max_shard_size=max_shard_size)
            native.processor.save_pretrained(Path(staging, subfolder))
        model.save_pretrained(Path(staging, PRETRAINING), max_shard_size=max_shard_size)
        processor.save_pretrained(Path(staging, PRETRAINING))
        if card is not None:
            Path(staging, "README.md").write_text(card, encoding="utf-8")
        sync_tree(Path(staging))
        for new in sorted(Path(staging).iterdir()):
            old = output_dir / new.name
            if old.is_dir():
                shutil.rmtree(old)
            new.replace(old)
        sync_folder(output_dir)
    return output_dir


def is_unfinished(name: str) -> bool:
    """Whether a folder of this name is what a killed `export_pretrained` left."""
    return name.startswith(_STAGING)


def sweep_exports(folder: Path) -> None:
    """Remove what a killed `export_pretrained` left; nobody may be exporting to `folder`."""
    for path in [path for path in folder.iterdir() if is_unfinished(path.name)]:
        shutil.rmtree(path)
