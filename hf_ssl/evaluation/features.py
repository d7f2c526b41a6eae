"""Images in, one embedding each out: frozen features of any vision encoder of transformers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from ..data.base import Samples
from ..encoders import Encoder, encoder_for
from .inputs import make_inputs


@dataclass(frozen=True)
class Features:
    """
    Embeddings of a data set.

    Args:
        embeddings (`torch.FloatTensor` of shape `(samples, dim)`): float32, as the encoder gave them (not normalised).
        labels (`torch.LongTensor` of shape `(samples,)`, *optional*): class indices from 0, -1 for an image without a
            label; None where no image has one.

    Raises:
        ValueError: when the shapes do not fit each other.
    """

    embeddings: torch.Tensor
    labels: torch.Tensor | None = None

    def __post_init__(self):
        if self.embeddings.ndim != 2:
            raise ValueError(f"Embeddings must be (samples, dim), got shape {tuple(self.embeddings.shape)}.")
        if self.labels is not None and tuple(self.labels.shape) != (len(self),):
            raise ValueError(f"{len(self)} embeddings, but labels of shape {tuple(self.labels.shape)}.")

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def known_labels(self) -> torch.Tensor:
        """The labels, where at least one image has one."""
        if self.labels is not None:
            return self.labels
        raise ValueError("None of these images has a label.")

    def labelled(self) -> "Features":
        """Those that have a label."""
        known = self.known_labels >= 0
        return self if known.all() else Features(self.embeddings[known], self.known_labels[known])


def extract_features(
    model: PreTrainedModel,
    processor: Callable | None,
    dataset: Samples | torch.Tensor,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: bool = False,
    labels: torch.Tensor | None = None,
) -> Features:
    """
    Frozen embeddings of a data set: eval mode, no gradients, no autocast, in the dtype of the model.

    The model's mode (of every submodule) and device are as before afterwards.

    Args:
        model (`PreTrainedModel`): any vision encoder that `AutoModel` returns. Of an image-text model (CLIP, SigLIP)
            the image side is taken, through `get_image_features`. See `Encoder.contract` for what counts as embedding.
        processor (callable, *optional*): an image processor; called as `processor(images=..., return_tensors="pt")`.
            Not used, and may be None, when `dataset` is a tensor.
        dataset (`Samples` or `torch.FloatTensor`): map-style, with samples
            `{"image": uint8 tensor (C, H, W), "label": int}` (label optional, negative = none; sizes may differ where
            the processor resizes), or pixel values of shape `(samples, channels, height, width)` from `preprocess`.
        batch_size (`int`): images a forward pass.
        device (`torch.device` or `str`, *optional*): where to compute; the model's own by default.
        labels (`torch.LongTensor` of shape `(samples,)`, *optional*): only with a tensor, which carries none.

    Returns:
        `Features`: on the CPU, in the order of the data set.

    Raises:
        ValueError: for an empty data set, images whose channels do not fit, or a model that is no encoder.
    """
    if len(dataset) == 0:
        raise ValueError("The data set is empty.")
    if isinstance(dataset, torch.Tensor):
        chunks = dataset.split(batch_size)
        batches: Iterable = zip(chunks, [None] * len(chunks), strict=True)
        batches = tqdm(batches, total=len(chunks), desc="Embedding", disable=not progress)
    else:
        batches = input_batches(cast(Callable, processor), dataset, batch_size, encoder_for(model.config), progress)
    with frozen_embedder(model, device) as embed:
        features = extract_all({"": embed}, batches)[""]
    return features if labels is None else Features(features.embeddings, labels.cpu())


def preprocess(
    processor: Callable,
    dataset: Samples,
    encoder: Encoder | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> torch.Tensor:
    """
    Preprocess a data set once, for several calls of `extract_features`. All pixels are kept: 600 kB an image at 224.

    Args:
        encoder ([`Encoder`], *optional*): see `make_inputs`.

    Returns:
        `torch.FloatTensor` of shape `(samples, channels, height, width)`.

    Raises:
        ValueError: for an empty data set, channels that do not fit, or images that stay of different sizes.
    """
    batches = [pixels for pixels, _ in input_batches(processor, dataset, batch_size, encoder, progress)]
    if len({batch.shape[1:] for batch in batches}) > 1:
        raise ValueError("The processed images differ in size: use a processor that resizes or crops to one size.")
    return torch.cat(batches)


def input_batches(
    processor: Callable, dataset: Samples, batch_size: int, encoder: Encoder | None = None, progress: bool = False
) -> Iterator[tuple[torch.Tensor, list[int | None]]]:
    """Batches of an encoder's inputs and their labels, one pass over the data set. See `make_inputs`."""
    total = len(dataset)
    if total == 0:
        raise ValueError("The data set is empty.")
    for start in tqdm(range(0, total, batch_size), desc="Embedding", disable=not progress):
        samples = [dataset[i] for i in range(start, min(start + batch_size, total))]
        yield make_inputs(processor, samples, encoder), [sample.get("label") for sample in samples]


@contextmanager
def frozen_embedder(model: PreTrainedModel, device: torch.device | str | None = None) -> Iterator[Callable]:
    """Within the context `model` is frozen on `device`; yields a function from pixel values to embeddings (B, D)."""
    if type(model).__name__.endswith("ForPreTraining"):
        raise ValueError(
            f"{type(model).__name__} is an encoder with a pretraining head: pass the encoder, "
            "AutoModel.from_pretrained(...) of the same folder, or model.backbone."
        )
    encoder = encoder_for(model.config)
    home, modes = model.device, [(module, module.training) for module in model.modules()]
    target = torch.device(device) if device is not None else home

    def embed(pixel_values: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast(target.type, enabled=False):
            outputs = encoder.embed(model, pixel_values.to(target, model.dtype))
            return cast(torch.Tensor, outputs.pooler_output).float().cpu()

    try:
        model.to(device=target)  # pyright: ignore[reportCallIssue] (how transformers wraps it)
        model.eval()
        yield embed
    finally:
        model.to(device=home)  # pyright: ignore[reportCallIssue]
        for module, training in modes:
            module.training = training


def extract_all(embedders: Mapping[str, Callable], batches: Iterable) -> dict[str, Features]:
    """Features of several embedders in one pass over `(pixel_values, labels)` batches."""
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in embedders}
    labels: list[int | None] = []
    for pixels, batch_labels in batches:
        for name, embed in embedders.items():
            parts[name].append(embed(pixels))
        labels += batch_labels or [None] * len(pixels)
    targets = torch.tensor([-1 if label is None else int(label) for label in labels])
    targets = targets if targets.max() >= 0 else None
    # Concatenated outside of inference mode, so that a probe can save the embeddings for its backward pass.
    return {name: Features(torch.cat(tensors), targets) for name, tensors in parts.items()}
