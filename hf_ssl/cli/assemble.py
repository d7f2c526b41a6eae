"""From names and NAME=VALUE pairs to a model, a processor and training arguments."""

import json
from collections.abc import Sized
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, set_seed

from ..backbones import backbone_config
from ..configuration_utils import closest
from ..data import Data
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..recipe_utils import Recipe
from ..registry import Method
from ..training import SSLTrainingArguments


def parse_values(pairs: dict[str, str]) -> dict[str, Any]:
    """Values as JSON where they are JSON (numbers, lists, true), else as text."""
    values = {}
    for name, text in pairs.items():
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values


def choose_image_size(dataset, asked: int | None) -> int:
    """The asked size, or the median short side of some images: at most 224, a multiple of 16 (of 4 up to 64)."""
    if asked is not None:
        if asked < 1:
            raise ValueError(f"--image-size must be at least 1, got {asked}.")
        return asked
    sides = sorted(min(dataset[i]["image"].shape[-2:]) for i in range(min(len(dataset), 32)))
    side = min(sides[len(sides) // 2], 224)
    return max(side - side % (4 if side <= 64 else 16), 4)


def choose_recipe(method: Method, name: str | None, image_size: int) -> Recipe:
    name = name or ("small" if image_size <= 64 else "paper")
    if name not in method.recipes:
        raise ValueError(f"{method.title} has no recipe {name!r}.{closest(name, method.recipes)}")
    return method.recipes[name]


def build_training_arguments(
    recipe: Recipe, explicit: dict[str, Any], checkpoints: Path, data: Data
) -> SSLTrainingArguments:
    """The recipe, then what the user set; without labelled test images nothing is evaluated on the way."""
    known = {f.name for f in fields(SSLTrainingArguments)}
    for name in explicit:
        if name not in known:
            raise ValueError(f"There is no training argument {name!r}.{closest(name, known)}")
    values = {"output_dir": str(checkpoints)} | recipe.training | explicit
    if data.test is None:
        values["eval_strategy"] = "no"
    elif isinstance(data.test, Sized) and "per_device_train_batch_size" in values:
        # A contrastive loss depends on the size of the batch: the same one makes the two curves comparable.
        batch = min(values["per_device_train_batch_size"], len(data.test))
        values.setdefault("per_device_eval_batch_size", batch)
    # Pinned memory is for accelerators; transformers would only warn.
    values.setdefault("dataloader_pin_memory", torch.accelerator.is_available() and not values.get("use_cpu", False))
    return SSLTrainingArguments(**values)


def build_model(
    method: Method,
    recipe: Recipe,
    backbone: str | None,
    config: dict[str, str],
    image_size: int,
    seed: int,
    label_names: list[str] | None,
) -> tuple[SSLPreTrainedModel, str | None]:
    """The model, and the id of the encoder it starts from, if any."""
    set_seed(seed)
    values = {**recipe.config, **parse_values(config)}
    cls = method.config_class
    known = {f.name for f in fields(cls)}
    if "backbone_config" in config:
        raise ValueError("--config backbone_config cannot be set: choose the encoder with --backbone.")
    for name in values:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no field {name!r}.{closest(name, known)}")
    if "labels" in method.pretraining_class.forward_extras and label_names:
        values["id2label"] = dict(enumerate(label_names))
    backbone = backbone or recipe.backbone
    native = backbone_config(backbone, image_size)
    if backbone == recipe.backbone:
        native.update(recipe.encoder)
    if "pooling" in values and "pooling" not in config:  # a recipe speaks of a ViT; others pool by themselves
        if (native or AutoConfig.from_pretrained(backbone, trust_remote_code=False)).model_type != "vit":
            del values["pooling"]
    try:
        if native is None:
            return method.pretraining_class.from_backbone(backbone, values), backbone
        return method.pretraining_class(cls(**values, backbone_config=native)), None
    except (IndexError, RuntimeError, TypeError) as error:
        if not config:
            raise
        given = " ".join(f"--config {name}={value}" for name, value in config.items())
        raise ValueError(f"{given} makes no model of {method.title} ({error}): choose another value.") from error


def build_processor(
    method: Method, recipe: Recipe, overrides: dict[str, str], image_size: int, model: SSLPreTrainedModel
) -> SSLImageProcessor:
    """The recipe's processor at this image size, fitted to the encoder's channels and patches."""
    cls = method.image_processor_class
    values = {k: v(image_size) if callable(v) else v for k, v in recipe.processor.items()}
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
    resize = image_size if image_size <= 64 else round(image_size * 256 / 224)
    size = {"size": {"shortest_edge": resize}, "crop_size": {"height": image_size, "width": image_size}}
    try:
        processor = cls(**size | values | parse_values(overrides))
        processor.views(torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8), torch.Generator())  # fail early
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if not overrides:
            raise
        given = " ".join(f"--processor {name}={value}" for name, value in overrides.items())
        raise ValueError(f"{given} gives no views of {image_size} pixels: {error}") from error
    return processor
