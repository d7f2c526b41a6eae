"""Models, processors and training arguments from a recipe and what the user set."""

import json
import os
from collections.abc import Sized
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedConfig, set_seed

from .backbones import backbone_config
from .checks.processors import checked_image_processor
from .checks.repository_files import pinned
from .data import Data
from .data.base import require_samples_of
from .encoders import ImageEncoder, encoder_for, probe
from .loading import load_encoder_config
from .modalities import Modality
from .modeling_utils import SSLPreTrainedModel
from .processing_utils import SSLProcessorMixin
from .recipe_utils import Recipe, merged_fields
from .registry import Method, get_method
from .training import SSLTrainingArguments, merge_arguments
from .utils.spelling import closest


class Built(NamedTuple):
    """
    What [`build`] makes.

    Args:
        model (`SSLPreTrainedModel`): the `...ForPreTraining`, on the CPU.
        processor (`SSLProcessorMixin`): draws the views of its training, and prepares images for its encoder.
        training (`dict`): arguments for [`SSLTrainingArguments`], by name.
    """

    model: SSLPreTrainedModel
    processor: SSLProcessorMixin
    training: dict[str, Any]


def recipe(method: str, name: str = "small") -> Recipe:
    """
    A complete set of hyper-parameters of a method.

    Args:
        method (`str`): name in the registry, such as "dino".
        name (`str`, *optional*, defaults to `"small"`): such as "small", "photos" or "paper".

    Raises:
        ValueError: for an unknown name, with the nearest one.
    """
    return recipe_of(get_method(method), name)


def recipe_of(method: Method, name: str) -> Recipe:
    """The same of a row of the registry."""
    if name not in method.recipes:
        known = ", ".join(method.recipes)
        raise ValueError(f"{method.info.title} has no recipe {name!r}.{closest(name, method.recipes)} Known: {known}.")
    return method.recipes[name]


def build(
    method: str,
    recipe: str | Recipe,
    backbone: str | None,
    image_size: int,
    *,
    data: Data | None = None,
    config: dict[str, Any] | None = None,
    processor: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    seed: int = 42,
) -> Built:
    """
    All that a training needs besides its images, as `hf-ssl pretrain` builds it.

    Args:
        method (`str`): name in the registry, such as "dino".
        recipe (`str` or [`Recipe`]): see [`recipe`].
        backbone (`str`, *optional*): name of an encoder that starts from scratch, or the folder or Hub id of one to
            start from; by default that of the recipe.
        image_size (`int`): side in pixels of the images that the encoder gets.
        data ([`Data`], *optional*): what will be trained on: a queue is not made longer than there are images, a
            supervised method knows the classes, and where there are test images the encoder is evaluated on the way.
        config, processor (`dict`, *optional*): fields of the method's configuration and of its image processor, in
            place of the recipe's.
        training (`dict`, *optional*): training arguments in place of the recipe's, see [`merge_arguments`].
        seed (`int`, *optional*, defaults to 42): of the first weights.

    Returns:
        [`Built`]: model, processor, and training arguments.

    Raises:
        ValueError: for an unknown method, recipe, encoder, field or argument, with the nearest one; for values that do
            not go together.
    """
    row = get_method(method)
    chosen = recipe_of(row, recipe) if isinstance(recipe, str) else recipe
    images = len(data.train) if data is not None and isinstance(data.train, Sized) else None
    label_names = None if data is None else data.train.label_names
    native, base = encoder_config(row, chosen, backbone, image_size)
    views = build_processor(row, chosen, processor or {}, image_size, native, base, data)
    learnt = views.model_fields()
    model, _ = build_model(row, chosen, backbone, config or {}, image_size, seed, label_names, images, learnt)
    require_views_fit(model, views, image_size)
    without_test = {"eval_strategy": "no"} if data is None or data.test is None else {}
    return Built(model, views, merge_arguments(chosen.training | without_test, training or {}))


def base_config(backbone: str) -> PreTrainedConfig | None:
    """Configuration of the encoder in a folder or on the Hub; `None` for the name of one that starts from scratch."""
    if backbone_config(backbone, 32) is not None:
        return None
    config = load_encoder_config(backbone)
    encoder_for(config).require_trainable(backbone)
    return config


def encoder_config(
    method: Method, recipe: Recipe, backbone: str | None, image_size: int
) -> tuple[PreTrainedConfig, str | None]:
    """Configuration of the encoder to train, and its folder or id where it does not start from scratch."""
    name = backbone or recipe.backbone
    vit_type = method.config_class.sub_configs_defaults["backbone_config"].model_type
    native = backbone_config(name, image_size, vit_type=vit_type)
    if native is None:
        return load_encoder_config(name), name
    if name == recipe.backbone:
        native.update(recipe.encoder)
    return native, None


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
    training: dict[str, Any], explicit: dict[str, Any], checkpoints: str | os.PathLike, data: Data, on_cpu: bool
) -> SSLTrainingArguments:
    """The recipe, then what the user set; without labelled test images nothing is evaluated on the way."""
    if data.test is None:
        training = training | {"eval_strategy": "no"}
    values: dict[str, Any] = {"output_dir": str(checkpoints)} | merge_arguments(training, explicit)
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
    config: dict[str, Any],
    image_size: int,
    seed: int,
    label_names: list[str] | None,
    images: int | None = None,
    learnt: dict[str, Any] | None = None,
) -> tuple[SSLPreTrainedModel, str | None]:
    """The model, and the id of the encoder it starts from, if any; `learnt` are `model_fields` of its processor."""
    set_seed(seed)
    values = merged_fields(merged_fields(recipe.config_for(images), config), learnt or {})
    cls = method.config_class
    known = {f.name for f in fields(cls)}
    if "backbone_config" in config:
        raise ValueError("--config backbone_config cannot be set: choose the encoder with --backbone.")
    for name in values:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no field {name!r}.{closest(name, known)}")
    if "labels" in method.pretraining_class.data_columns and label_names:
        values["id2label"] = dict(enumerate(label_names))
    native, base = encoder_config(method, recipe, backbone, image_size)
    if "pooling" in values and "pooling" not in config:  # a recipe speaks of a ViT; others pool by themselves
        if values["pooling"] not in encoder_for(native).poolings:
            del values["pooling"]
    try:
        if base is not None:
            model = method.pretraining_class.from_backbone(base, values)
            if (resized := encoder_for(model.backbone.config).resized(model.backbone, image_size)) is not None:
                model = method.pretraining_class.from_backbone(resized, values)
            return model, base
        return method.pretraining_class(cls(**values, backbone_config=native)), None
    except (IndexError, RuntimeError, TypeError) as error:
        if not config:
            raise
        given = _as_options("--config", config)
        raise ValueError(f"{given} makes no model of {method.info.title} ({error}): choose another value.") from error


def build_processor(
    method: Method,
    recipe: Recipe,
    overrides: dict[str, Any],
    image_size: int,
    native: PreTrainedConfig,
    base: str | None = None,
    data: Data | None = None,
    saved: str | os.PathLike | None = None,
) -> SSLProcessorMixin:
    """
    The recipe's processor at this image size, fitted to the encoder's channels, patches and normalisation.

    Args:
        native (`PreTrainedConfig`): of the encoder; see [`encoder_config`], also for `base`.
        data ([`Data`], *optional*): what will be trained on, see `SSLProcessorMixin.settle`.
        saved (`str` or path, *optional*): folder with the processor of a run that goes on, which has learnt already.
    """
    cls = method.processor_class
    encoder = encoder_for(native)
    if image_size < encoder.patch_size:
        raise ValueError(
            f"An image of {image_size} pixels is smaller than one patch of {encoder.patch_size}: raise --image-size, "
            "or choose another --backbone."
        )
    values = recipe.processor_for(image_size) | cls.attributes_for(encoder, image_size)
    statistics = {} if base is None else normalisation_of(base, method.modality)
    try:
        processor = cls(**values | statistics | overrides)
        if saved is not None:
            processor.take_over(cls.from_pretrained(saved))
        if data is not None:
            require_samples_of(method.modality, data.train, data.name)
            processor.settle(data.train)
        processor.views(generator=torch.Generator(), **processor.example(image_size))
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if not overrides:
            raise
        given = _as_options("--processor", overrides)
        raise ValueError(f"{given} gives no views of {image_size} pixels: {error}") from error
    return processor


def require_views_fit(model: SSLPreTrainedModel, processor: SSLProcessorMixin, image_size: int) -> None:
    """A `ValueError` where the encoder cannot take the views, or images of `image_size`; see [`probe`]."""
    views = processor.views(generator=torch.Generator(), **processor.example(image_size))
    inputs = encoder_for(model.config.backbone_config).example(image_size)
    sizes = {view.shape[-1] for view in views.values() if view.ndim == inputs.ndim + 1}
    probe(model.config.backbone_config, [image_size, *sorted(sizes)], published_size=image_size)


def _as_options(option: str, values: dict[str, Any]) -> str:
    """Values as they are given on the command line."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return " ".join(f"{option} {name}={text}" for name, text in texts.items())


def normalisation_of(encoder: str, modality: Modality) -> dict[str, Any]:
    """Mean and standard deviation that an encoder expects, as far as its repository has a processor."""
    try:
        values = checked_image_processor(encoder, pinned(encoder, {}), modality.load("auto_processor")).to_dict()
    except OSError:
        return {}
    names = ("image_mean", "image_std", "mean", "std")
    return {name: values[name] for name in names if values.get(name) is not None}
