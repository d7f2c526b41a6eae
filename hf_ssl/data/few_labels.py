"""Learning from few labels where all are known: which images of a data set may keep theirs."""

from collections.abc import Sequence

import torch

from .errors import DataError


def draw_labelled(
    labels: torch.Tensor, per_class: int, seed: int, names: Sequence[str] | None = None
) -> torch.LongTensor:
    """
    Images that keep their label: so many of each class, drawn without replacement. The draw follows from labels,
    number and seed alone, and of the same seed the images of a smaller number are among those of a larger one.

    Args:
        labels (`torch.LongTensor` of shape `(images,)`): below 0 for images without.
        per_class (`int`): labels of each class that has any.
        seed (`int`): of the draw.
        names (`Sequence[str]`, *optional*): of the classes, for messages.

    Returns:
        `torch.LongTensor`: indices of the images, ascending.

    Raises:
        DataError: when a class has fewer labels than are asked for.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in labels[labels >= 0].unique().tolist():
        members = (labels == label).nonzero().flatten()
        if len(members) < per_class:
            name = repr(names[label]) if names and label < len(names) else label
            raise DataError(
                f"labels_per_class is {per_class}, but the class {name} has {len(members)} "
                f"label{'s' * (len(members) != 1)}: ask for at most that, or leave the class out."
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(chosen).sort().values if chosen else torch.empty(0, dtype=torch.long)
