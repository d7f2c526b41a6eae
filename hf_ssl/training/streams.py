"""Two streams in one batch: labelled images, drawn again and again, and images that are taken without their label."""

import math
from collections.abc import Iterator

import torch
from torch.utils.data import Dataset, Sampler

from ..data import ImageDataset
from ..data.few_labels import draw_labelled
from ..modeling_utils import SSLPreTrainedModel
from .arguments import SSLTrainingArguments
from .collators import batch_seed
from .places import NO_PLACE, HasEpoch, PlacedSamples


def labelled_images(
    model: SSLPreTrainedModel, args: SSLTrainingArguments, dataset: ImageDataset
) -> torch.LongTensor | None:
    """
    The images whose label may be used, by index, where a training has two streams or few labels; else `None`.

    Raises:
        ValueError: for `labels_per_class` with a method that uses no labels, and when a class has fewer.
    """
    few = args.labels_per_class
    if "labels" not in model.data_columns:
        if few is not None:
            raise ValueError(
                f"labels_per_class={few} has no effect on {type(model).__name__}, which uses no labels: leave it out."
            )
        return None
    if few is not None:
        return draw_labelled(dataset.labels, few, args.labels_seed, dataset.label_names)
    return (dataset.labels >= 0).nonzero().flatten() if model.unlabelled_per_label else None


class TwoStreamSampler(Sampler):
    """
    An epoch of groups: one labelled image, drawn with replacement, and then `unlabelled_per_label` of all images, the
    labelled ones among them, in the order of another sampler. An epoch has as many places as that sampler, so that it
    shows a random share of the images without a label, another in every epoch.

    Whoever takes the places in order, in batches of whole groups, finds in each batch the same number of labelled
    images, at the same places, in every process.

    Args:
        sampler (`Sampler`): indices of all images.
        labelled (`torch.LongTensor` of shape `(labelled,)`): indices of those that have a label to learn from.
        unlabelled_per_label (`int`): 0 draws labelled images alone.
        seed (`int`): of the draws, together with the epoch.
    """

    def __init__(self, sampler: Sampler, labelled: torch.Tensor, unlabelled_per_label: int, seed: int):
        self.sampler, self.labelled = sampler, labelled
        self.unlabelled_per_label, self.seed = unlabelled_per_label, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        step, rest = 1 + self.unlabelled_per_label, iter(self.sampler)
        seed = batch_seed(self.seed, self.epoch, NO_PLACE, torch.empty(0, dtype=torch.long))
        groups, generator = math.ceil(len(self) / step), torch.Generator().manual_seed(seed)
        drawn = self.labelled[torch.randint(len(self.labelled), (groups,), generator=generator)].tolist()
        for place in range(len(self)):
            yield next(rest) if place % step else drawn[place // step]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        if isinstance(self.sampler, HasEpoch):
            self.sampler.set_epoch(epoch)


class TwoStreamSamples(PlacedSamples):
    """
    The samples for the places of a [`TwoStreamSampler`]: the first of a group keeps its label, the others have -1.

    Args:
        dataset (`Dataset`): map-style, of dicts.
        unlabelled_per_label (`int`): see [`TwoStreamSampler`].
    """

    def __init__(self, dataset: Dataset, unlabelled_per_label: int):
        super().__init__(dataset)
        self.unlabelled_per_label = unlabelled_per_label

    def __getitems__(self, placed: list[tuple[int, int]]) -> list[dict]:
        step = 1 + self.unlabelled_per_label
        return [s if s["place"] % step == 0 else {**s, "label": -1} for s in super().__getitems__(placed)]
