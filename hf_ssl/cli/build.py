"""Models, processors and training arguments from a recipe and what the user set."""

import inspect
import json
import os
from collections.abc import Sized
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_MAPPING, PreTrainedConfig, PreTrainedModel, set_seed

from ..backbones import backbone_config
from ..checks.bounded_json import parse_json
from ..checks.processors import checked_image_processor
from ..checks.repository_files import pinned
from ..configuration_utils import closest
from ..data import Data
from ..evaluation.loading import load_encoder_config
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel, build_backbone, forward_backbone
from ..recipe_utils import Recipe
from ..registry import Method
from ..training import SSLTrainingArguments, merge_arguments

# Encoders with a table of positions that can be interpolated to another size of image once and for all.
_RESIZED = ("deit", "vit", "vit_mae", "vit_msn")


def parse_values(pairs: dict[str, str]) -> dict[str, Any]:
    """Values as JSON where they are JSON (numbers, lists, true), else as text; a `ValueError` out of all bounds."""
    values = {}
    for name, text in pairs.items():
        try:
            values[name] = parse_json(text)
        except json.JSONDecodeError:
            values[name] = text
        except ValueError as error:
            raise ValueError(f"{name}={text[:100]} {error}.") from None
    return values


def base_config(backbone: str) -> PreTrainedConfig | None:
    """Configuration of the encoder in a folder or on the Hub; `None` for the name of one that starts from scratch."""
    if backbone_config(backbone, 32) is not None:
        return None
    config = load_encoder_config(backbone)
    if {"vision_config", "text_config"} <= config.to_dict().keys():
        raise ValueError(
            f"{backbone} is a {config.model_type!r} model of images and texts: save its image side, "
            "AutoModel.from_pretrained(...).vision_model.save_pretrained(FOLDER), and give that folder."
        )
    return config


def size_of(config: PreTrainedConfig, short_side: int) -> int:
    """The size in pixels that an encoder was made for, but no more than 224, and no more than the images have."""
    values = config.to_dict()
    size, patch = values.get("image_size") or 224, values.get("patch_size") or 1
    size, patch = (value[0] if isinstance(value, list | tuple) else value for value in (size, patch))
    kind = MODEL_MAPPING[type(config)]
    fixed = "interpolate_pos_encoding" in inspect.signature(kind.forward).parameters
    if "window_size" in values or (fixed and config.model_type not in _RESIZED):  # they fit this size only
        return size
    side = min(size, 224, max(short_side, 4 * patch))
    if "patch_size" in values:  # every stage after the first halves the map
        patch *= 2 ** (len(values.get("depths") or [0]) - 1)
    return max(side - side % patch, patch)


def with_positions_for(backbone: PreTrainedModel, image_size: int) -> PreTrainedModel | None:
    """
    The same encoder for images of another size, its positions interpolated once and for all, so that `AutoModel` takes
    images of this size without an option. None where it is that size, or has no such positions.
    """
    config = backbone.config
    if config.model_type not in _RESIZED or config.image_size in (image_size, [image_size] * 2):
        return None
    state, layer = backbone.state_dict(), backbone.embeddings
    table = state["embeddings.position_embeddings"]
    others = table.shape[1] - layer.patch_embeddings.num_patches  # tokens that stand nowhere, such as CLS
    wanted = torch.empty(1, (image_size // config.patch_size) ** 2 + others, table.shape[2])
    with torch.no_grad():
        state["embeddings.position_embeddings"] = layer.interpolate_pos_encoding(wanted, image_size, image_size)
    resized = build_backbone(type(config).from_dict(config.to_dict() | {"image_size": image_size}))
    resized.load_state_dict(state)
    return resized


def build_training_arguments(
    training: dict[str, Any], explicit: dict[str, Any], checkpoints: Path, data: Data, on_cpu: bool
) -> SSLTrainingArguments:
    """The recipe, then what the user set; without labelled test images nothing is evaluated on the way."""
    if data.test is None:
        training = training | {"eval_strategy": "no"}
    values = {"output_dir": str(checkpoints)} | merge_arguments(training, explicit)
    if data.test is None and values["eval_strategy"] != "no":
        raise ValueError(
            f"{data.name} has no test images, which --eval_strategy and --eval_steps need: leave them out."
        )
    elif isinstance(data.test, Sized) and "per_device_train_batch_size" in values:
        # A contrastive loss depends on the size of the batch: the same one makes the two curves comparable.
        values.setdefault("per_device_eval_batch_size", values["per_device_train_batch_size"])
    # Pinned memory is for accelerators; transformers would only warn.
    values.setdefault("dataloader_pin_memory", not on_cpu)
    if not on_cpu:  # the CPU's cores have nothing else to do; on a CPU they train
        values.setdefault(
            "bf16", not values.get("fp16") and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        )
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        values.setdefault("dataloader_num_workers", min(16, max((os.cpu_count() or 1) // processes - 1, 0)))
    return SSLTrainingArguments(**values)


def build_model(
    method: Method,
    recipe: Recipe,
    backbone: str | None,
    config: dict[str, str],
    image_size: int,
    seed: int,
    label_names: list[str] | None,
    images: int | None = None,
) -> tuple[SSLPreTrainedModel, str | None]:
    """The model, and the id of the encoder it starts from, if any."""
    set_seed(seed)
    values = {**recipe.config_for(images), **parse_values(config)}
    cls = method.config_class
    known = {f.name for f in fields(cls)}
    if "backbone_config" in config:
        raise ValueError("--config backbone_config cannot be set: choose the encoder with --backbone.")
    for name in values:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no field {name!r}.{closest(name, known)}")
    if "labels" in method.pretraining_class.data_columns and label_names:
        values["id2label"] = dict(enumerate(label_names))
    backbone = backbone or recipe.backbone
    native = backbone_config(backbone, image_size)
    if backbone == recipe.backbone:
        native.update(recipe.encoder)
    if "pooling" in values and "pooling" not in config:  # a recipe speaks of a ViT; others pool by themselves
        if (native or load_encoder_config(backbone)).model_type != "vit":
            del values["pooling"]
    try:
        if native is None:
            model = method.pretraining_class.from_backbone(backbone, values)
            if (resized := with_positions_for(model.backbone, image_size)) is not None:
                model = method.pretraining_class.from_backbone(resized, values)
            return model, backbone
        return method.pretraining_class(cls(**values, backbone_config=native)), None
    except (IndexError, RuntimeError, TypeError) as error:
        if not config:
            raise
        given = " ".join(f"--config {name}={value}" for name, value in config.items())
        raise ValueError(f"{given} makes no model of {method.title} ({error}): choose another value.") from error


def build_processor(
    method: Method,
    recipe: Recipe,
    overrides: dict[str, str],
    image_size: int,
    model: SSLPreTrainedModel,
    base_model: str | None = None,
) -> SSLImageProcessor:
    """The recipe's processor at this image size, fitted to the encoder's channels, patches and normalisation."""
    cls = method.image_processor_class
    values = recipe.processor_for(image_size)
    native = model.config.backbone_config.to_dict()
    patch = native.get("patch_size", 1)
    if image_size < patch:
        raise ValueError(
            f"An image of {image_size} pixels is smaller than one patch of {patch}: raise --image-size, or choose "
            "another --backbone."
        )
    if "patch_size" in cls.view_attributes():
        values["patch_size"] = patch
    if native.get("num_channels", 3) == 1:
        values |= {"do_convert_rgb": False, "image_mean": [0.449], "image_std": [0.226]}
    resize = image_size if image_size <= 96 else round(image_size * 256 / 224)
    size = {"size": {"shortest_edge": resize}, "crop_size": {"height": image_size, "width": image_size}}
    statistics = {} if base_model is None else normalisation_of(base_model)
    try:
        processor = cls(**size | values | statistics | parse_values(overrides))
        images = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8)
        views = processor.views(image=images, generator=torch.Generator())
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if not overrides:
            raise
        given = " ".join(f"--processor {name}={value}" for name, value in overrides.items())
        raise ValueError(f"{given} gives no views of {image_size} pixels: {error}") from error
    require_sizes(model, image_size, {view.shape[-1] for view in views.values() if view.ndim == 5} - {image_size})
    return processor


def require_sizes(model: SSLPreTrainedModel, image_size: int, others: set[int]) -> None:
    """
    Raises:
        ValueError: where the encoder cannot take images of `image_size` pixels as a user will call it, or cannot take
            views of the `others` in training: positions, windows and convolutions without padding fit some sizes only.
    """
    channels = model.config.backbone_config.to_dict().get("num_channels", 3)
    training = model.training
    model.eval()
    for side in (image_size, *sorted(others)):
        image = torch.zeros(1, channels, side, side)
        try:
            with torch.no_grad():
                model.backbone(image) if side == image_size else forward_backbone(model.backbone, image)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"The encoder cannot take images of {side} pixels ({str(error).rstrip('.')}): choose another "
                "--image-size, such as the one that it was made for, another --backbone, or another method if its "
                "views are smaller than that."
            ) from error
    model.train(training)


def normalisation_of(encoder: str) -> dict[str, Any]:
    """Mean and standard deviation that an encoder expects, as far as its repository has an image processor."""
    try:
        values = checked_image_processor(encoder, pinned(encoder, {})).to_dict()
    except OSError:
        return {}
    return {name: values[name] for name in ("image_mean", "image_std") if values.get(name) is not None}
