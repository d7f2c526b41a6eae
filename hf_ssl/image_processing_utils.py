"""Base of the image processors: the plain call preprocesses for inference, `views` makes training views."""

import math
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_backends import PilBackend
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, PILImageResampling

from .augment import ViewPolicy, make_view
from .augment.finish import Finish
from .augment.resize import one_by_one
from .checks.bounded_json import read_json
from .checks.processors import require_processor, require_processor_files
from .checks.repository_files import pinned
from .processing_utils import SSLProcessorMixin
from .utils.packed_images import PackedImages

# Written by transformers into every preprocessor_config.json.
_SAVED_KEYS = {"image_processor_type", "processor_class", "feature_extractor_type", "auto_map", "_valid_kwargs_names"}


class SSLImageProcessor(SSLProcessorMixin, PilBackend):
    """
    Called with images it does ordinary, deterministic preprocessing, exactly as a native `ViTImageProcessor` with the
    same attributes; for an encoder of one channel it also makes PIL images in colour gray. `views(image=images,
    generator=generator)` draws the method's training views; every number of them is a class attribute of the method's
    processor, overridable in the constructor and saved with it.

    Attributes:
        pixel_format (`dict`, *optional*): `hf_ssl.data.PixelFormat.to_dict()` of the images that the encoder was
            trained on, where they have more than 8 bits: others have to be read in the same way. It is applied by
            whoever opens the files; the processor hands it on.

    Raises:
        ValueError: for a keyword that is no attribute, with the nearest name, and for a value out of bounds.
    """

    sample_keys = ("image",)
    native_attributes = (
        *("resample", "image_mean", "image_std", "size", "crop_size", "do_convert_rgb", "do_resize"),
        *("do_center_crop", "do_rescale", "rescale_factor", "do_normalize", "pixel_format"),
    )
    resample = PILImageResampling.BICUBIC
    image_mean = IMAGENET_DEFAULT_MEAN
    image_std = IMAGENET_DEFAULT_STD
    size = {"shortest_edge": 256}
    default_to_square = False
    crop_size = {"height": 224, "width": 224}
    do_convert_rgb = True
    do_resize = True
    do_center_crop = True
    do_rescale = True
    do_normalize = True
    pixel_format = None

    def __init__(self, **kwargs: Any):
        listed = self.view_attributes().keys()
        known = listed | self.valid_kwargs.__annotations__.keys() | {"pixel_format"}
        self.require_known(kwargs.keys() - _SAVED_KEYS, known)
        require_processor({name: value for name, value in kwargs.items() if name in known}, type(self).__name__)
        super().__init__(**{name: value for name, value in kwargs.items() if name not in listed})
        self.take_view_attributes(kwargs)
        self._require_sizes()
        try:
            self.policies()
        except NotImplementedError:  # the base classes draw no views
            pass
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(
                f"{type(self).__name__} cannot draw views with these attributes ({type(error).__name__}: {error})."
            ) from None

    @classmethod
    def get_image_processor_dict(cls, pretrained_model_name_or_path, **kwargs):
        repository = pretrained_model_name_or_path
        if Path(repository).is_file():
            require_processor(read_json(repository), repository)
        else:
            require_processor_files(repository, pinned(repository, kwargs))
        return super().get_image_processor_dict(repository, **kwargs)

    def _require_sizes(self) -> None:
        """Nothing is left out that a view needs."""
        name = type(self).__name__
        if self.do_normalize and (self.image_mean is None or self.image_std is None):
            raise ValueError(f"{name} normalises (do_normalize), which needs image_mean and image_std.")
        side = self.crop_size if self.do_center_crop else self.size
        if side is None or side.get("height") is None or side.get("width") is None:
            field = "crop_size" if self.do_center_crop else "size"
            raise ValueError(f"{name}.{field} must have a height and a width, got {side}.")

    @property
    def is_gray(self) -> bool:
        """Whether the encoder takes one channel."""
        return not self.do_convert_rgb and bool(self.do_normalize) and len(self.image_mean) == 1

    def process_image(self, image, *args, **kwargs) -> np.ndarray:
        if self.is_gray and isinstance(image, Image.Image):
            image = Image.fromarray(convert_to_rgb(image, return_numpy=True)).convert("L")
        return super().process_image(image, *args, **kwargs)

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """The views to draw: name of the batch entry -> one `ViewPolicy` for each view."""
        raise NotImplementedError

    def draw_views(self, samples: Mapping[str, Any], generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        """
        Args:
            samples (`dict`): under `"image"` a `torch.Tensor` of shape `(batch, channels, height, width)`, or
                [`PackedImages`] or a list of `(channels, height, width)` of any sizes: uint8 in 0..255 or float in
                0..1, 1 or 3 channels, on any device.
            generator (`torch.Generator`): the only source of randomness; on the CPU.

        Returns:
            `dict`: normalised float32 views of shape `(batch, views, channels, size, size)` under each name of
            `policies()`, on the device of the images.
        """
        return {name: self._draw(samples["image"], p, generator) for name, p in self.policies().items()}

    def _draw(self, images, policies: list[ViewPolicy], generator: torch.Generator | None) -> torch.Tensor:
        """Views of one size. Those under one policy in one go: of small images, calls cost as much as arithmetic."""
        if not isinstance(images, PackedImages) and images[0].device.type == "cuda":
            images = PackedImages.pack(images)
        parts = []
        for policy, group in groupby(policies):
            count = len(list(group))
            if isinstance(images, PackedImages) or (isinstance(images, torch.Tensor) and not one_by_one(images)):
                repeated = images.repeat_interleave(count, 0)
            else:
                repeated = [image for image in images for _ in range(count)]
            parts.append(make_view(repeated, policy, generator, self.finish).unflatten(0, (-1, count)))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    @classmethod
    def attributes_for(cls, encoder: Any, size: int) -> dict[str, Any]:
        resize = size if size <= 96 else round(size * 256 / 224)
        values = {"size": {"shortest_edge": resize}, "crop_size": {"height": size, "width": size}}
        if encoder.num_channels == 1:
            values |= {"do_convert_rgb": False, "image_mean": [0.449], "image_std": [0.226]}
        return super().attributes_for(encoder, size) | values

    def shortest_side_needed(self) -> int:
        views = [policy for policies in self.policies().values() for policy in policies]
        sides = [policy.size / (policy.crop_scale[0] if policy.crop_scale else 1) ** 0.5 for policy in views]
        return math.ceil(max([*sides, self.size["shortest_edge"]]))

    def settle(self, dataset: Any) -> None:
        """Take over how stored values become pixels, where these have more than 8 bits."""
        pixels = dataset.pixel_format
        self.pixel_format = None if pixels.is_plain else pixels.to_dict()

    @property
    def num_channels(self) -> int:
        return 1 if len(self.image_mean) == 1 else 3

    def example(self, size: int, batch: int = 2, seed: int = 0) -> dict[str, Any]:
        """Random samples by key, as `views` takes them: images of `size` pixels."""
        generator = torch.Generator().manual_seed(seed)
        return {"image": torch.randint(0, 256, (batch, 3, size, size), generator=generator, dtype=torch.uint8)}

    @property
    def finish(self) -> Finish:
        """The last step of every view: normalisation, and the channels that the encoder takes."""
        if not self.do_normalize:
            return Finish(rgb=self.do_convert_rgb)
        mean, std = (tuple(torch.tensor(v).reshape(-1).tolist()) for v in (self.image_mean, self.image_std))
        return Finish(mean, std, gray=self.is_gray)

    @property
    def largest_view(self) -> int:
        """Side in pixels of the largest training views."""
        sizes = (policy.size for policies in self.policies().values() for policy in policies)
        return max(sizes, default=self.inference_size)

    @property
    def inference_size(self) -> int:
        """Side in pixels of what the plain call gives."""
        return self.crop_size["height"] if self.do_center_crop else self.size["height"]


class AugmentedImageProcessor(SSLImageProcessor):
    r"""
    Views by SimCLR's pipeline: crop, flip, colour jitter, grey, blur, solarise (arXiv:2002.05709, appendix A). What
    the attributes mean stands here; their values stand in each method's own processor, except for steps that it lacks.

    Args:
        crop_ratio (`list[float]`, *optional*): aspect ratio of the crops, width / height, drawn log-uniformly.
        flip_probability (`float`, *optional*): horizontal flip.
        color_jitter (`list[float]`, *optional*): strength of the changes in brightness, contrast, saturation and hue.
        color_jitter_probability (`float`, *optional*)
        grayscale_probability (`float`, *optional*)
        blur_probability (`float` or `list[float]`, *optional*): Gaussian blur, kernel of 10 % of the side; a list has
            one value for each view, and is repeated where there are more views.
        blur_sigma (`list[float]`, *optional*): standard deviation of the blur in pixels, drawn uniformly.
        solarize_probability (`float` or `list[float]`, *optional*, defaults to 0.0): invert what is brighter than
            half; a list as for `blur_probability`.
        rotate_probability (`float`, *optional*, defaults to 0.0): by 90, 180 or 270 degrees, for images without an
            upright: textures, tissue, the sky. No paper has it.
    """

    crop_ratio: list
    flip_probability: float
    color_jitter: list
    color_jitter_probability: float
    grayscale_probability: float
    blur_probability: float | list
    blur_sigma: list
    solarize_probability: float | list = 0.0
    rotate_probability: float = 0.0

    def policy(self, view_index: int, size: int, crop_scale: list[float], **fields) -> ViewPolicy:
        """
        The policy of one view, or of several that are drawn alike.

        Args:
            view_index (`int`): which entry of `blur_probability` and `solarize_probability` to take.
            size (`int`): side in pixels.
            crop_scale (`list[float]`): area of the crop, share of the image.
            fields: further fields of [`ViewPolicy`].
        """
        brightness, contrast, saturation, hue = self.color_jitter
        return ViewPolicy(
            size=size,
            crop_scale=tuple(crop_scale),
            crop_ratio=tuple(self.crop_ratio),
            interpolation="bicubic",
            flip_probability=self.flip_probability,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
            jitter_probability=self.color_jitter_probability,
            grayscale_probability=self.grayscale_probability,
            blur_probability=_of_view(self.blur_probability, view_index),
            blur_sigma=tuple(self.blur_sigma),
            solarize_probability=_of_view(self.solarize_probability, view_index),
            rotate_probability=self.rotate_probability,
            **fields,
        )


def _of_view(values: float | list[float], view_index: int) -> float:
    return values[view_index % len(values)] if isinstance(values, list) else values


class TwoViewImageProcessor(AugmentedImageProcessor):
    r"""
    Two views of one size, or more.

    Args:
        view_size (`int`, *optional*): side of the views in pixels; `None` for that of inference. Smaller views cost
            less, and an encoder may well be used at a larger size than it was trained at (arXiv:1906.06423).
        views_per_image (`int`, *optional*)
        crop_scale (`list[float]`, *optional*): area of the crop, share of the image, drawn uniformly.
    """

    view_size: int | None
    views_per_image: int
    crop_scale: list

    def policies(self) -> dict[str, list[ViewPolicy]]:
        size = self.view_size or self.inference_size
        return {"pixel_values": [self.policy(i, size, self.crop_scale) for i in range(self.views_per_image)]}


class MultiCropImageProcessor(AugmentedImageProcessor):
    r"""
    Large crops (`pixel_values`) and small ones (`local_pixel_values`): SwAV (arXiv:2006.09882, section 3.2).

    Args:
        global_crop_size (`int`, *optional*): side of the large crops in pixels; `None` for that of inference.
        global_crop_scale (`list[float]`, *optional*): area, share of the image, drawn uniformly.
        global_crops (`int`, *optional*): how many.
        local_crop_size (`int`, *optional*): side of the small crops in pixels.
        local_crop_scale (`list[float]`, *optional*): area, share of the image, drawn uniformly.
        local_crops (`int`, *optional*): how many; 0 for none.
    """

    global_crop_size: int | None
    global_crop_scale: list
    global_crops: int
    local_crop_size: int
    local_crop_scale: list
    local_crops: int

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """Large crops have the view indices 0, 1, ...; all small ones share the next."""
        size = self.global_crop_size or self.inference_size
        large = [self.policy(i, size, self.global_crop_scale) for i in range(self.global_crops)]
        if not self.local_crops:
            return {"pixel_values": large}
        small = self.policy(self.global_crops, self.local_crop_size, self.local_crop_scale)
        return {"pixel_values": large, "local_pixel_values": [small] * self.local_crops}
