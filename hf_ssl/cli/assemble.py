"""From a request and its data to a model, a processor and training arguments."""

import copy
import json
import math
import os
import time
from collections.abc import Sized
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate.utils import broadcast_object_list
from transformers import AutoConfig, AutoImageProcessor, PreTrainedConfig, set_seed
from transformers.trainer_utils import IntervalStrategy

from ..backbones import backbone_config
from ..configuration_utils import closest
from ..data import Data, DecodedImages, ImageDataset, ImageStream
from ..data.kept import KeptImages
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..recipe_utils import Recipe
from ..registry import Method
from ..training import SSLTrainingArguments, merge_arguments
from . import plan
from .plan import Choice, Costs, Situation
from .timing import largest_batch, seconds_per_evaluated_image, seconds_per_step

_LENGTH = ("num_train_epochs", "max_steps")
_BUDGETED = ("small", "photos")  # recipes whose length follows from the time there is
_LEARNING_RATE_OF_LARGER_ENCODERS = 5e-4


@dataclass
class Assembly:
    """
    All that a run consists of.

    Args:
        train: the training images, read as cheaply as their views allow.
        images (`int`, *optional*): for training; `None` for a stream.
        base_model (`str`, *optional*): folder or id of the encoder that training starts from.
        choices (`dict[str, Choice]`): what was chosen for the user, and why.
        costs ([`Costs`], *optional*): as two steps were timed.
        wanted_steps (`int`, *optional*): what the recipe would take, where the time is the limit.
        images_to_evaluate (`int`, *optional*): at most so many in the final evaluation; all by default.
    """

    data: Data
    train: ImageDataset | ImageStream
    images: int | None
    recipe_name: str
    recipe: Recipe
    model: SSLPreTrainedModel
    processor: SSLImageProcessor
    args: SSLTrainingArguments
    base_model: str | None
    choices: dict[str, Choice]
    costs: Costs | None = None
    wanted_steps: int | None = None
    images_to_evaluate: int | None = None

    @property
    def images_a_step(self) -> int:
        return self.args.global_batch_size

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        if self.args.max_steps > 0:
            return self.args.max_steps
        return round(self.args.num_train_epochs * max(self.images // self.images_a_step, 1))

    def decided(self) -> dict[str, Any]:
        """What a restart takes over, so that it goes on as it began."""
        return {
            "recipe": self.recipe_name,
            "image_size": self.choices["image_size"].value,
            "backbone": self.choices["backbone"].value,
            "per_device_train_batch_size": self.args.per_device_train_batch_size,
            "max_steps": self.args.max_steps,
            "wanted_steps": self.wanted_steps,
            "costs": asdict(self.costs) if self.costs else None,
            "images_to_evaluate": self.images_to_evaluate,
        }


def parse_values(pairs: dict[str, str]) -> dict[str, Any]:
    """Values as JSON where they are JSON (numbers, lists, true), else as text."""
    values = {}
    for name, text in pairs.items():
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values


def assemble(
    request, method: Method, data: Data, checkpoints: Path, decided: dict[str, Any], started: float
) -> Assembly:
    """
    Args:
        request (`hf_ssl.cli.pretrain.Request`)
        checkpoints (`Path`): the folder for them.
        decided (`dict`): `Assembly.decided` of a run that goes on, or empty.
        started (`float`): `time.perf_counter()` when the command began; the minutes count from there.
    """
    explicit = request.training
    given = [name for name in _LENGTH if name in explicit]
    if request.minutes is not None and given:
        raise ValueError(f"--minutes and --{given[0]} both say how long to train: give one of them.")
    if request.minutes is not None and not request.minutes > 0:
        raise ValueError(f"--minutes must be above 0, got {request.minutes:g}.")
    on_cpu = explicit.get("use_cpu", False) or not torch.accelerator.is_available()
    images = len(data.train) if isinstance(data.train, Sized) else None
    situation = Situation(images, data.sizes(), data.has_upright, on_cpu)
    recipe = plan.choose_recipe(method, request.recipe or decided.get("recipe"), data.has_upright)
    recipe_name = next(name for name, row in method.recipes.items() if row is recipe)

    asked_backbone = request.backbone or decided.get("backbone")
    base = None if asked_backbone is None else base_config(asked_backbone)
    base_size = None if base is None else size_of(base, situation.short_side)
    size = plan.choose_image_size(situation, request.image_size or decided.get("image_size"), base_size)
    backbone = plan.choose_backbone(situation, recipe, asked_backbone, size.value)
    choices = {"image_size": size, "backbone": backbone}

    training = dict(recipe.training)
    if backbone.value not in (recipe.backbone, "vit-micro") and recipe_name in _BUDGETED:
        training["learning_rate"] = _LEARNING_RATE_OF_LARGER_ENCODERS
    smallest = 2 if method.pretraining_class.batch_contrastive else 1
    if "per_device_train_batch_size" not in explicit:
        batch = decided.get("per_device_train_batch_size") or plan.choose_batch(situation, training, smallest)
        training["per_device_train_batch_size"] = batch
    budgeted = not given and (request.minutes is not None or recipe_name in _BUDGETED) and images is not None
    if budgeted:  # the number of steps follows when they have been timed
        training = merge_arguments(training, {"max_steps": decided.get("max_steps") or 2})
    args = build_training_arguments(training, explicit, checkpoints, data, on_cpu)

    names = data.train.label_names
    model, base_model = build_model(
        method, recipe, backbone.value, request.config, size.value, args.seed, names, images
    )
    processor = build_processor(method, recipe, request.processor, size.value, model, base_model)
    result = Assembly(data, data.train, images, recipe_name, recipe, model, processor, args, base_model, choices)
    if images is not None:
        result.train = read_cheaply(data.train, processor, args)
    if decided:
        result.wanted_steps, result.images_to_evaluate = decided["wanted_steps"], decided["images_to_evaluate"]
        result.costs = Costs(**decided["costs"]) if decided["costs"] else None
    elif images is not None:
        time_it(result, None if "per_device_train_batch_size" in explicit else smallest)
    if budgeted and result.costs and (not decided or request.minutes not in (None, decided.get("minutes"))):
        seconds = 60 * (request.minutes or plan.DEFAULT_MINUTES) - (time.perf_counter() - started)
        evaluable = images + len(data.test) if request.evaluate and data.test is not None else 0
        evaluated = result.costs.evaluable_images(seconds, evaluable)
        result.images_to_evaluate = evaluated if evaluated < evaluable else None
        result.wanted_steps = plan.wanted_steps(recipe, images, result.images_a_step)
        if evaluable and "eval_strategy" not in explicit:
            bank = min(args.online_knn_images, images)
            online = result.costs.online_evaluation(bank, len(data.test), args.train_batch_size) / args.eval_steps
            if online > plan.ONLINE_SHARE * seconds:
                args.eval_strategy = IntervalStrategy.NO
            else:
                seconds -= online
        seconds = plan.seconds_for_training(seconds, evaluated, result.costs)
        steps = result.costs.steps_in(seconds, result.images_a_step, images)
        if request.minutes is None:
            steps = min(steps, result.wanted_steps)
        args.max_steps = max(broadcast_object_list([steps])[0], decided.get("max_steps", 0))
    return result


def read_cheaply(dataset: ImageDataset, processor: SSLImageProcessor, args: SSLTrainingArguments) -> ImageDataset:
    """
    The same images, reduced while they are decoded to what the smallest crop of a view needs, and kept in memory as
    far as a quarter of it goes. Images that are in memory already are left alone.
    """
    if not isinstance(dataset, DecodedImages):
        return dataset
    views = [policy for policies in processor.policies().values() for policy in policies]
    sides = [policy.size / (policy.crop_scale[0] if policy.crop_scale else 1) ** 0.5 for policy in views]
    dataset = copy.copy(dataset)  # the evaluation reads images as they are
    dataset.reduce_to(math.ceil(max([*sides, processor.size["shortest_edge"]])))
    if args.dataloader_num_workers:
        return dataset
    return KeptImages(dataset, psutil.virtual_memory().available // 4)


def time_it(run: Assembly, smallest_batch: int | None) -> None:
    """Time two steps, and lower a batch that nobody asked for until it fits into the memory of the device."""
    args = run.args

    def attempt(batch: int) -> tuple[float, float]:
        args.per_device_train_batch_size = batch
        args.scale_learning_rate()
        return seconds_per_step(run.model, run.processor, run.train, args)

    batch = args.per_device_train_batch_size
    if smallest_batch is None or args.world_size > 1:
        step, image = attempt(batch)
    else:
        fits, (step, image) = largest_batch(batch, smallest_batch, attempt)
        if fits < batch:
            run.choices["batch"] = Choice(fits, f"as {batch} do not fit into the memory of the device")
    classes = len(run.data.label_names or ())
    embedded, probed = seconds_per_evaluated_image(run.model, run.processor, run.data.train, args, classes)
    run.costs = Costs(step, image, embedded, probed, keeps_images=isinstance(run.train, KeptImages))


def base_config(backbone: str) -> PreTrainedConfig | None:
    """Configuration of the encoder in a folder or on the Hub; `None` for the name of one that starts from scratch."""
    if backbone_config(backbone, 32) is not None:
        return None
    return AutoConfig.from_pretrained(backbone, trust_remote_code=False)


def size_of(config: PreTrainedConfig, short_side: int) -> int:
    """The size in pixels that an encoder was made for, but no more than 224, and no more than the images have."""
    values = config.to_dict()
    size, patch = values.get("image_size") or 224, values.get("patch_size") or 1
    size, patch = (value[0] if isinstance(value, list | tuple) else value for value in (size, patch))
    side = min(size, 224, max(short_side, 4 * patch))
    return max(side - side % patch, patch)


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
        processor.views(torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8), torch.Generator())  # fail early
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if not overrides:
            raise
        given = " ".join(f"--processor {name}={value}" for name, value in overrides.items())
        raise ValueError(f"{given} gives no views of {image_size} pixels: {error}") from error
    return processor


def normalisation_of(encoder: str) -> dict[str, Any]:
    """Mean and standard deviation that an encoder expects, as far as its repository has an image processor."""
    try:
        values = AutoImageProcessor.from_pretrained(encoder, trust_remote_code=False).to_dict()
    except (OSError, ValueError, ImportError, KeyError):
        return {}
    return {name: values[name] for name in ("image_mean", "image_std") if values.get(name) is not None}
