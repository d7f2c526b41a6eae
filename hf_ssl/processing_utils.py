"""What the processor of every method is, whatever it processes: named samples in, training views and masks out."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, get_origin

import torch
from transformers import BatchFeature

from .configuration_utils import closest
from .modalities import modality_of_sample


class SSLProcessorMixin:
    """
    The part of a method's processor that does not depend on what a sample is: an image, a clip, a sound, a pair. A
    processor lists the numbers of its views and masks as annotated class attributes, each of which can be given to the
    constructor and is saved; and it says how views and masks are drawn.

    Attributes:
        sample_keys (`tuple[str, ...]`): entries of a sample that the views are made from, such as `("image",)` or
            `("image", "text")`. `views` takes one argument of each name.
    """

    sample_keys: ClassVar[tuple[str, ...]] = ()
    native_class: ClassVar[type | None] = None  # of transformers, where it is not that of the modality
    native_attributes: ClassVar[tuple[str, ...]] = ()  # what that has, too
    num_channels: ClassVar[int | None] = None  # of pictures: 1 for an encoder that sees grey, else 3
    largest_view: ClassVar[int | None] = None  # side in pixels of the largest views, of images

    @classmethod
    def view_attributes(cls) -> dict[str, Any]:
        """Names and values of what the method's processor lists for its views and masks."""
        owners = [c for c in reversed(cls.__mro__) if issubclass(c, SSLProcessorMixin)]
        annotated = ((c, *item) for c in owners for item in vars(c).get("__annotations__", {}).items())
        return {
            name: vars(c)[name]
            for c, name, annotation in annotated
            if name in vars(c) and annotation is not ClassVar and get_origin(annotation) is not ClassVar
        }

    @classmethod
    def attributes_for(cls, encoder: Any, size: int) -> dict[str, Any]:
        """
        The attributes that follow from the encoder, such as its patches and channels.

        Args:
            encoder (`Encoder`): adapter of the encoder, from `encoder_for`.
            size (`int`): side in pixels of what the encoder is given, where that has pixels.
        """
        return {"patch_size": encoder.patch_size} if "patch_size" in cls.view_attributes() else {}

    def shortest_side_needed(self) -> int | None:
        """Pixels that the short side of a larger picture may be reduced to before views are drawn; None: keep all."""
        return None

    def native(self) -> Any:
        """The processor of transformers that prepares samples for inference exactly as this one does."""
        values, kind = self.to_dict(), self.native_class
        kind = modality_of_sample(self.sample_keys[0]).load("native_processor") if kind is None else kind
        return kind(**{name: values[name] for name in self.native_attributes if name in values})

    def settle(self, dataset: Any) -> None:
        """
        Find out on the training data what is left open, such as the vocabulary of their captions; nothing, by default.
        Called before the model of a new run is made; what is known already stays. It is saved with the processor.

        Args:
            dataset (`ImageDataset`): to train on.
        """

    def take_view_attributes(self, given: Mapping[str, Any]) -> None:
        """
        Set every view attribute to what is given, or else to what the class lists.

        Raises:
            ValueError: for `None` where a step needs a value, and for a dict.
        """
        for attribute, listed in self.view_attributes().items():
            value = given.get(attribute, listed)
            if listed is not None and value is None:
                raise ValueError(f"{type(self).__name__}.{attribute} must have a value, got None.")
            if isinstance(value, dict):
                raise ValueError(f"{type(self).__name__}.{attribute} must be a number or a list, got {value!r:.100}.")
            vars(self)[attribute] = list(value) if isinstance(value, tuple | list) else value

    @classmethod
    def require_known(cls, names: Iterable[str], known: set[str]) -> None:
        """
        Raises:
            ValueError: for a name that is none of `known`, with the nearest of them.
        """
        for name in names:
            if name not in known:
                raise ValueError(f"{cls.__name__} has no attribute {name!r}.{closest(name, known)}")

    def take_over(self, saved: "SSLProcessorMixin") -> None:
        """Take what `settle` found from the processor of a run that goes on."""

    def model_fields(self) -> dict[str, Any]:
        """Fields of the method's configuration that follow from the processor; of one that is a dict, its entries."""
        return {}

    def encode_samples(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What a worker does to a batch of samples beside stacking it, such as to turn texts into tokens."""
        return batch

    def views(self, *, generator: torch.Generator, **samples: Any) -> BatchFeature:
        """
        Draw training views and masks, independently for each sample.

        Args:
            generator (`torch.Generator`): the only source of randomness; on the CPU.
            samples: a batch of samples under each of `sample_keys`, as `hf_ssl.data.collate_samples` makes it.

        Returns:
            `BatchFeature`: what `draw_views` and `draw_masks` give, on the device of the views.

        Raises:
            ValueError: for names that are not those of `sample_keys`.
        """
        if samples.keys() != set(self.sample_keys):
            taken, given = ", ".join(self.sample_keys), ", ".join(samples) or "nothing"
            raise ValueError(
                f"{type(self).__name__}.views takes {taken}, got {given}: name the samples as sample_keys does."
            )
        views = self.draw_views(samples, generator)
        first = next(iter(views.values()))
        masks = self.draw_masks(len(first), generator)
        return BatchFeature({**views, **{name: mask.to(first.device) for name, mask in masks.items()}})

    def views_of(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """
        The views of a collated batch, in the place of its samples.

        Args:
            batch (`dict`): samples under each of `sample_keys`, and the seed of their views under `"view_seed"`.
                Whatever else it holds is passed through.
        """
        generator = torch.Generator().manual_seed(batch["view_seed"])
        views = self.views(generator=generator, **{key: batch[key] for key in self.sample_keys})
        rest = {key: value for key, value in batch.items() if key not in (*self.sample_keys, "view_seed")}
        return {**views, **rest}

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        The views of a batch, of shape `(batch, ...)` under each name.

        Args:
            samples (`dict`): a batch of samples under each of `sample_keys`.
            generator (`torch.Generator`): the only source of randomness; on the CPU.
        """
        raise NotImplementedError

    def draw_masks(self, batch: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """
        The masks of a batch, of shape `(batch, ...)` under each name, on the CPU; none by default. A method that masks
        draws them by the functions of `hf_ssl/augment/masks.py`, whose counts follow from the processor's attributes
        alone: no step has to ask an accelerator how many patches are hidden.

        Args:
            batch (`int`): number of samples.
            generator (`torch.Generator`): the one that the views were drawn from.
        """
        return {}
