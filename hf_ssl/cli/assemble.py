"""From a request and its data to a model, a processor and training arguments."""

import copy
import math
import time
from collections.abc import Sized
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate.utils import broadcast_object_list
from transformers.trainer_utils import IntervalStrategy

from ..data import Data, DecodedImages, ImageDataset, ImageStream
from ..data.base import is_labelled
from ..data.kept import KeptImages
from ..encoders import encoder_for
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..recipe_utils import Recipe
from ..recipes import (
    base_config,
    build_model,
    build_processor,
    build_training_arguments,
    encoder_config,
    require_views_fit,
)
from ..registry import Method
from ..training import SSLTrainingArguments, merge_arguments
from ..training.batches import group_size, settle_batch, steps_in_epoch, whole_groups
from ..training.online import require_labels
from ..training.processes import require_same
from ..training.streams import labelled_images
from . import plan
from .plan import Choice, Costs, Situation
from .timing import largest_batch, seconds_per_evaluated_image, seconds_per_step, seconds_to_prepare
from .values import parse_values

_LENGTH = ("num_train_epochs", "max_steps")
_BUDGETED = ("small", "photos")  # recipes whose length follows from the time there is
_LEARNING_RATE_OF_LARGER_ENCODERS, _LEARNING_RATE_OF_TRAINED_ENCODERS = 5e-4, 1e-4


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
        wanted_steps (`int`, *optional*): what a recipe for a few cores would take.
        evaluated_images (`int`): how many the final evaluation looks at, of those for training and testing.
        chosen_training (`dict`): training arguments that the recipe and the plan set.
    """

    data: Data
    train: ImageDataset | ImageStream
    images: int | None
    recipe_name: str
    recipe: Recipe
    model: SSLPreTrainedModel
    processor: SSLProcessorMixin
    args: SSLTrainingArguments
    base_model: str | None
    choices: dict[str, Choice]
    costs: Costs | None = None
    wanted_steps: int | None = None
    evaluated_images: int = 0
    chosen_training: dict[str, Any] = field(default_factory=dict)

    @property
    def images_a_step(self) -> int:
        return self.args.global_batch_size

    @property
    def images_read_a_step(self) -> int:
        """By each process."""
        return self.args.global_batch_size // self.args.world_size

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        if self.args.max_steps > 0:
            return self.args.max_steps
        return math.ceil(self.args.num_train_epochs * steps_in_epoch(self.images, self.args))

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
            "evaluated_images": self.evaluated_images,
            "eval_strategy": self.args.eval_strategy.value,
            "training": self.chosen_training
            | {"per_device_train_batch_size": self.args.per_device_train_batch_size}
            | ({"bf16": True} if self.args.bf16 else {}),
        }


def assemble(
    request,
    method: Method,
    data: Data,
    checkpoints: Path,
    decided: dict[str, Any],
    started: float,
    last: Path | None = None,
) -> Assembly:
    """
    Args:
        request (`hf_ssl.cli.pretrain.Request`)
        checkpoints (`Path`): the folder for them.
        decided (`dict`): `Assembly.decided` of a run that goes on, or empty.
        started (`float`): `time.perf_counter()` when the command began; the minutes count from there.
        last (`Path`, *optional*): the checkpoint that a run goes on from.
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
    recipe = plan.choose_recipe(method, request.recipe or decided.get("recipe"), situation.has_upright)
    recipe_name = next(name for name, row in method.recipes.items() if row is recipe)

    asked_backbone = request.backbone or decided.get("backbone")
    base = None if asked_backbone is None else base_config(asked_backbone)
    base_size = None if base is None else encoder_for(base).usual_size(situation.short_side)
    asked_size = decided.get("image_size") if request.image_size is None else request.image_size
    size = plan.choose_image_size(situation, asked_size, base_size)
    backbone = plan.choose_backbone(situation, recipe, asked_backbone, size.value)
    choices = {"image_size": size, "backbone": backbone}

    training = dict(recipe.training)
    if recipe_name in _BUDGETED and base is not None:
        training["learning_rate"] = _LEARNING_RATE_OF_TRAINED_ENCODERS
    elif recipe_name in _BUDGETED and not backbone.value.endswith(("-nano", "-micro")):
        training["learning_rate"] = _LEARNING_RATE_OF_LARGER_ENCODERS
    smallest = 2  # what no method and no batch norm refuses
    if "per_device_train_batch_size" not in explicit:
        batch = decided.get("per_device_train_batch_size") or plan.choose_batch(situation, training, smallest)
        training["per_device_train_batch_size"] = batch
    budgeted = not given and (request.minutes is not None or recipe_name in _BUDGETED) and images is not None
    if budgeted:  # the number of steps follows when they have been timed
        training = merge_arguments(training, {"max_steps": decided.get("max_steps") or 2})
    args = build_training_arguments(training, explicit, checkpoints, data, on_cpu)
    require_same("number of images", images)
    require_same("run in the output folder", "one to go on with" if decided else "a new one")

    names = data.train.label_names
    own = parse_values(request.processor)
    native, base_model = encoder_config(method, recipe, backbone.value, size.value)
    processor = build_processor(method, recipe, own, size.value, native, base_model, data, last)
    fields, learnt = parse_values(request.config), processor.model_fields()
    model, _ = build_model(method, recipe, backbone.value, fields, size.value, args.seed, names, images, learnt)
    if images is not None:
        model.size_for(images)
    if "per_device_train_batch_size" not in explicit:
        args.per_device_train_batch_size = whole_groups(args.per_device_train_batch_size, model)
        args.scale_learning_rate()
    settle_batch(model, args, data.train)
    if "labels" in model.data_columns:
        require_labels(model, data.train)
    labelled_images(model, args, data.train)  # refuses what cannot be, before anything is timed
    require_views_fit(model, processor, size.value)
    result = Assembly(data, data.train, images, recipe_name, recipe, model, processor, args, base_model, choices)
    result.chosen_training = training
    if images is not None:
        result.train = read_cheaply(data.train, processor, args)
    scored = request.evaluate and isinstance(data.test, Sized) and is_labelled(data.train)
    evaluable = images + len(data.test) if scored else 0
    if decided:
        result.wanted_steps, result.evaluated_images = decided["wanted_steps"], decided["evaluated_images"]
        result.costs = Costs(**decided["costs"]) if decided["costs"] else None
        if "eval_strategy" not in explicit:
            args.eval_strategy = IntervalStrategy(decided["eval_strategy"])
    elif images is not None:
        time_it(result, None if "per_device_train_batch_size" in explicit else smallest, budgeted)
        result.evaluated_images = evaluable
        if recipe_name in _BUDGETED:
            result.wanted_steps = plan.wanted_steps(recipe, images, result.images_a_step)
    if budgeted and result.costs and (not decided or request.minutes not in (None, decided.get("minutes"))):
        seconds = 60 * (request.minutes or plan.DEFAULT_MINUTES) - (time.perf_counter() - started)
        steps = steps_within(seconds, result, evaluable, online="eval_strategy" not in explicit)
        if request.minutes is None:
            steps = min(steps, result.wanted_steps)
        args.max_steps = max(steps, decided.get("max_steps", 0))
    decide_as_first_process(result)
    return result


def decide_as_first_process(run: Assembly) -> None:
    """Each of several processes has timed its own steps: all take what the first one made of it."""
    args = run.args
    own = [run.costs, run.evaluated_images, args.max_steps, args.eval_strategy]
    run.costs, run.evaluated_images, args.max_steps, args.eval_strategy = broadcast_object_list(own)


def steps_within(seconds: float, run: Assembly, evaluable: int, online: bool) -> int:
    """
    Steps that fit into the time beside the evaluation, which may have to do with fewer images.

    Args:
        seconds (`float`): all there is from now on.
        evaluable (`int`): images that the final evaluation can look at.
        online (`bool`): whether evaluations during training may be left out where they would take too long.
    """
    args, costs = run.args, run.costs
    run.evaluated_images = costs.evaluable_images(seconds, evaluable)
    if evaluable and online and args.eval_steps:
        bank = min(args.online_knn_images, run.images)
        evaluations = costs.online_evaluation(bank, len(run.data.test), args.train_batch_size) / args.eval_steps
        if evaluations > plan.ONLINE_SHARE * seconds:
            args.eval_strategy = IntervalStrategy.NO
        else:
            seconds -= evaluations
    seconds = plan.seconds_for_training(seconds, run.evaluated_images, costs)
    return costs.steps_in(seconds, run.images_read_a_step, run.images)


def read_cheaply(dataset: ImageDataset, processor: SSLProcessorMixin, args: SSLTrainingArguments) -> ImageDataset:
    """
    The same images, reduced while they are decoded to what the smallest crop of a view needs, and kept in memory as
    far as a quarter of it goes. Images that are in memory already are left alone.
    """
    if not isinstance(dataset, DecodedImages):
        return dataset
    dataset = copy.copy(dataset)  # the evaluation reads images as they are
    dataset.reduce_to(processor.shortest_side_needed())
    if args.dataloader_num_workers:
        return dataset
    return KeptImages(dataset, psutil.virtual_memory().available // 4)


def time_it(run: Assembly, smallest_batch: int | None, budgeted: bool) -> None:
    """
    Time two steps, and for a budget what comes before them; lower a batch that nobody asked for until it fits into the
    memory of the device.
    """
    args = run.args

    def attempt(batch: int) -> tuple[float, float]:
        args.per_device_train_batch_size = batch
        args.scale_learning_rate()
        return seconds_per_step(run.model, run.processor, run.train, args)

    batch = args.per_device_train_batch_size
    if smallest_batch is None or args.world_size > 1:
        step, image = attempt(batch)
    else:
        fits, (step, image) = largest_batch(batch, smallest_batch, attempt, group_size(run.model))
        if fits < batch:
            run.choices["batch"] = Choice(fits, f"as {batch} do not fit into the memory of the device")
    classes = len(run.data.label_names or ())
    embedded, probed = seconds_per_evaluated_image(run.model, run.processor, run.data.train, args, classes)
    preparation = seconds_to_prepare(run.model, run.processor, run.train, args) if budgeted else 0.0
    run.costs = Costs(
        step, image, embedded, probed, keeps_images=isinstance(run.train, KeptImages), preparation=preparation
    )
