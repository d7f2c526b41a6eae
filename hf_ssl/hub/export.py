"""The published repository: native encoders at the root and in folders of their own, the method in `pretraining/`."""

import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, BeitConfig, PreTrainedConfig, PreTrainedModel
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils import CONFIG_NAME

from ..checks.bounded_json import read_json
from ..image_processing_utils import SSLImageProcessor
from ..loading import PRETRAINING
from ..modeling_utils import SSLPreTrainedModel, has_learnt_pooler
from ..pretraining_utils import Published
from ..registry import METHODS
from ..utils.files import sync_folder, sync_tree

_STAGING = ".export-"


def native_encoder(model: SSLPreTrainedModel) -> PreTrainedModel:
    """
    The encoder of a method as a plain transformers model whose `pooler_output` is the method's embedding, exactly.

    - ViT with CLS: the pooler becomes the identity (`pooler_act="linear"`); without one, `AutoModel` would make up
      a random pooler.
    - ViT with `pooling="mean"`: a `BeitModel` with absolute positions, whose pooler is the norm of the mean patch.
    - every other architecture has a pooler without weights and is copied as it is.

    Raises:
        RuntimeError: when a weight would be missing or left over.
    """
    config, state = native_weights(model)
    native = AutoModel.from_config(config)
    native.load_state_dict(state, strict=True)
    return native.to(dtype=next(model.backbone.parameters()).dtype).eval()


def native_weights(model: SSLPreTrainedModel) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
    """Configuration and state dict of `native_encoder`; draws no random numbers."""
    backbone = model.backbone
    if model.config.pooling == "mean":
        return _mean_pooled_beit(backbone)
    fields = backbone.config.to_dict()
    with torch.device("meta"):
        template = AutoModel.from_config(AutoConfig.for_model(**fields))
    state = dict(backbone.state_dict())
    if has_learnt_pooler(template):
        width = template.config.hidden_size
        fields |= {"pooler_act": "linear", "pooler_output_size": width}
        state |= {"pooler.dense.weight": torch.eye(width), "pooler.dense.bias": torch.zeros(width)}
    return AutoConfig.for_model(**fields), state


def _mean_pooled_beit(vit: PreTrainedModel) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
    shared = (
        "hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act initializer_range "
        "layer_norm_eps image_size patch_size num_channels"
    ).split()
    config = BeitConfig(
        **{name: vit.config.to_dict()[name] for name in shared},
        use_mask_token=False,
        use_absolute_position_embeddings=True,
        use_relative_position_bias=False,
        use_shared_relative_position_bias=False,
        use_mean_pooling=True,
        layer_scale_init_value=0.0,
        drop_path_rate=0.0,
    )
    state = {
        name.replace("layernorm.", "pooler.layernorm.") if name.startswith("layernorm.") else name: tensor
        for name, tensor in vit.state_dict().items()
        # A bias on the keys adds the same number to all logits of a query: softmax drops it, and so does BEiT.
        if not name.endswith("attention.k_proj.bias")
    }
    return config, state


def native_image_processor(processor: SSLImageProcessor) -> ViTImageProcessorPil:
    """A native `ViTImageProcessor` that preprocesses exactly as `processor` does at inference."""
    names = (
        "resample image_mean image_std size crop_size do_convert_rgb do_resize do_center_crop do_rescale "
        "rescale_factor do_normalize pixel_format"
    ).split()
    values = processor.to_dict()
    return ViTImageProcessorPil(**{name: values[name] for name in names if name in values})


def published_parts(model: SSLPreTrainedModel, processor: SSLImageProcessor) -> dict[str, Published]:
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
    model = native_encoder(part.model) if isinstance(part.model, SSLPreTrainedModel) else part.model
    ours = isinstance(part.processor, SSLImageProcessor)
    return Published(model, native_image_processor(part.processor) if ours else part.processor)


def published_weights(part: Published) -> tuple[PreTrainedConfig, dict[str, torch.Tensor]]:
    """Configuration and state dict of the model of `native_part`; draws no random numbers."""
    model = part.model
    return native_weights(model) if isinstance(model, SSLPreTrainedModel) else (model.config, model.state_dict())


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
    processor: SSLImageProcessor,
    output_dir: str | Path,
    card: str | None = None,
    max_shard_size: int | str = "50GB",
) -> Path:
    """
    Write the repository; what stood there under the same names is replaced as a whole, and never half.

    Args:
        model (`SSLPreTrainedModel`): a `...ForPreTraining`; what of it plain transformers will load, it says itself
            in `published`.
        processor (`SSLImageProcessor`): its image processor.
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
