"""Models, processors and training arguments from a recipe and what the user set."""

import json
import os
from collections.abc import Sized
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig, set_seed

from ..backbones import backbone_config
from ..bounded_json import parse_json
from ..configuration_utils import closest
from ..data import Data
from ..encoders import ImageEncoder, encoder_for, probe
from ..evaluation.loading import load_encoder_config
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..processor_checks import checked_image_processor
from ..recipe_utils import Recipe
from ..registry import Method
from ..repository_files import pinned
from ..training import SSLTrainingArguments, merge_arguments


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
    encoder_for(config).require_trainable(backbone)
    return config


def require_encoder(backbone: str | None, image_size: int | None) -> None:
    """
    Whether the encoder that a user names can be trained, before any data is read: by itself, and at the size of image
    that is asked for, or the only one that it takes. The sizes of the views are tried when they are known.

    Raises:
        ValueError: as [`base_config`] and `probe`.
    """
    config = None if backbone is None else base_config(backbone)
    if config is None:
        return
    encoder = encoder_for(config)
    if not isinstance(encoder, ImageEncoder):  # a method of ours: its encoder has been trained
        return
    size = image_size or (encoder.usual_size(0) if encoder.fixed_size else None)
    if size is not None:
        probe(encoder.config_for(size), [size], published_size=size)


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
        if values["pooling"] not in encoder_for(native or load_encoder_config(backbone)).poolings:
            del values["pooling"]
    try:
        if native is None:
            model = method.pretraining_class.from_backbone(backbone, values)
            if (resized := encoder_for(model.backbone.config).resized(model.backbone, image_size)) is not None:
                model = method.pretraining_class.from_backbone(resized, values)
            return model, backbone
        return method.pretraining_class(cls(**values, backbone_config=native)), None
    except (IndexError, RuntimeError, TypeError) as error:
        if not config:
            raise
        given = " ".join(f"--config {name}={value}" for name, value in config.items())
        raise ValueError(f"{given} makes no model of {method.info.title} ({error}): choose another value.") from error


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
    encoder = encoder_for(model.config.backbone_config)
    patch = encoder.patch_size
    if image_size < patch:
        raise ValueError(
            f"An image of {image_size} pixels is smaller than one patch of {patch}: raise --image-size, or choose "
            "another --backbone."
        )
    if "patch_size" in cls.view_attributes():
        values["patch_size"] = patch
    if encoder.num_channels == 1:
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
    sizes = {view.shape[-1] for view in views.values() if view.ndim == 5}
    probe(model.config.backbone_config, [image_size, *sorted(sizes)], published_size=image_size)
    return processor


def normalisation_of(encoder: str) -> dict[str, Any]:
    """Mean and standard deviation that an encoder expects, as far as its repository has an image processor."""
    try:
        values = checked_image_processor(encoder, pinned(encoder, {})).to_dict()
    except OSError:
        return {}
    return {name: values[name] for name in ("image_mean", "image_std") if values.get(name) is not None}
