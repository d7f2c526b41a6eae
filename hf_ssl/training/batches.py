"""How many images a step takes, how many steps an epoch has, and whole batches of a stream."""

import math
from collections.abc import Iterator, Sized

from torch.utils.data import IterableDataset
from transformers.utils import logging

from ..modalities import modality_of_sample
from ..modeling_utils import SSLPreTrainedModel
from .arguments import SSLTrainingArguments

logger = logging.get_logger(__name__)


def fit_batch(batch: int, images: int, world_size: int = 1, min_batch: int = 1, noun: str = "image") -> int:
    """
    The images of a step in each process: `batch`, or as many as there are, so that an epoch has a step.

    Args:
        batch (`int`): images of a step in each process, as asked for.
        images (`int`): in the data.
        world_size (`int`, *optional*, defaults to 1): processes.
        min_batch (`int`, *optional*, defaults to 1): fewest images that the method can learn from, in each process.
        noun (`str`, *optional*, defaults to `"image"`): what they are called.

    Raises:
        ValueError: when there are fewer images than `min_batch` for each process.
    """
    if images < min_batch * world_size:
        held = f"{images} {noun}{'s' if images != 1 else ''}"
        raise ValueError(
            f"The data hold {held}, and training needs at least {min_batch * world_size}: add {noun}s"
            f"{', or use fewer processes' if world_size > 1 else ''}."
        )
    return min(batch, images // world_size)


def settle_batch(model: SSLPreTrainedModel, args: SSLTrainingArguments, dataset) -> None:
    """
    Lower the batch of `args` to the images there are.

    Raises:
        ValueError: when the batch, the data or the last batch are too small for the method.
    """
    group, noun = group_size(model), modality_of_sample(model.input_modalities[0]).noun
    least = max(model.min_batch_size, group)
    require_whole_groups(model, args)
    if args.per_device_train_batch_size < least:
        raise ValueError(
            f"In {type(model).__name__} the {noun}s of a batch depend on each other: per_device_train_batch_size must "
            f"be at least {least}, got {args.per_device_train_batch_size}."
        )
    if not isinstance(dataset, Sized):
        return
    images = len(dataset)
    batch = fit_batch(args.train_batch_size, images, args.world_size, least, noun)
    if args.dataloader_drop_last and batch < args.train_batch_size:
        lowered = batch // max(1, args.n_gpu) // group * group
        logger.warning(
            f"The data hold {images} {noun}s: per_device_train_batch_size is lowered from "
            f"{args.per_device_train_batch_size} to {lowered}."
        )
        args.per_device_train_batch_size = lowered
        args.scale_learning_rate()
    rest = images % args.train_batch_size
    if 0 < rest < least and not args.dataloader_drop_last and args.world_size == 1:
        raise ValueError(
            f"The last batch of {images} {noun}s would hold {rest}, and {type(model).__name__} needs {least}: leave "
            "dataloader_drop_last at True, or choose another per_device_train_batch_size."
        )


def group_size(model: SSLPreTrainedModel) -> int:
    """Images of which one has a label, in a method of two streams; 1 in any other."""
    return 1 + model.unlabelled_per_label


def whole_groups(batch: int, model: SSLPreTrainedModel) -> int:
    """A batch that nobody asked for, lowered to whole groups of the streams, or else one."""
    group = group_size(model)
    return max(batch // group, 1) * group


def require_whole_groups(model: SSLPreTrainedModel, args: SSLTrainingArguments) -> None:
    """
    Raises:
        ValueError: unless every batch of a method of two streams holds whole groups, see `unlabelled_per_label`.
    """
    group, batch = group_size(model), args.per_device_train_batch_size
    if group == 1:
        return
    start = f"{type(model).__name__} trains on groups of 1 labelled image and {group - 1} without a label: "
    if batch % group:
        raise ValueError(f"{start}per_device_train_batch_size must be a multiple of {group}, got {batch}.")
    for name, value in (("dataloader_drop_last", True), ("auto_find_batch_size", False)):
        if vars(args)[name] is not value:
            raise ValueError(f"{start}leave {name} at {value}, so that no batch ends inside of one.")


def steps_in_epoch(images: int, args: SSLTrainingArguments) -> int:
    """Optimizer steps of an epoch over `images` images, as the Trainer counts them."""
    batch = args.train_batch_size * args.world_size
    batches = images // batch if args.dataloader_drop_last else math.ceil(images / batch)
    return max(math.ceil(batches / args.gradient_accumulation_steps), 1)


class WholeBatches(IterableDataset):
    """
    A stream without the rest that fills no batch, in every worker; of one that fills none, all but a single image.

    Args:
        stream (`ImageStream`)
        batch_size (`int`)
    """

    def __init__(self, stream, batch_size: int):
        self.stream, self.batch_size = stream, batch_size

    def set_epoch(self, epoch: int) -> None:
        self.stream.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict]:
        samples, whole = [], False
        for sample in self.stream:
            samples.append(sample)
            if len(samples) == self.batch_size:
                yield from samples
                samples, whole = [], True
        if not whole and len(samples) > 1:
            yield from samples
