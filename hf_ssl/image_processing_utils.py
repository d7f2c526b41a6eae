"""Base of the image processors: the plain call preprocesses for inference, `views` makes training views."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature
from transformers.image_processing_backends import PilBackend
from transformers.image_transforms import convert_to_rgb
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, PILImageResampling

from .augment import ViewPolicy, make_view
from .augment.finish import Finish
from .augment.resize import one_by_one
from .bounded_json import read_json
from .configuration_utils import closest
from .packed_images import PackedImages
from .processor_checks import require_processor, require_processor_files
from .repository_files import pinned

# Written by transformers into every preprocessor_config.json.
_SAVED_KEYS = {"image_processor_type", "processor_class", "feature_extractor_type", "auto_map", "_valid_kwargs_names"}


class SSLImageProcessor(PilBackend):
    """
    Called with images it does ordinary, deterministic preprocessing, exactly as a native `ViTImageProcessor` with the
    same attributes; for an encoder of one channel it also makes PIL images in colour gray. `views` draws the method's
    training views; every hyper-parameter of the policy is a class attribute of the method's processor, overridable in
    the constructor and saved with it.

    Attributes:
        pixel_format (`dict`, *optional*): `hf_ssl.data.PixelFormat.to_dict()` of the images that the encoder was
            trained on, where they have more than 8 bits: others have to be read in the same way. It is applied by
            whoever opens the files; the processor hands it on.

    Raises:
        ValueError: for a keyword that is no attribute, with the nearest name, and for a value out of bounds.
    """

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
        policy = self.view_attributes()
        known = set(policy) | set(self.valid_kwargs.__annotations__) | {"pixel_format"}
        for name in kwargs:
            if name not in known | _SAVED_KEYS:
                raise ValueError(f"{type(self).__name__} has no attribute {name!r}.{closest(name, known)}")
        require_processor({name: value for name, value in kwargs.items() if name in known}, type(self).__name__)
        super().__init__(**{k: v for k, v in kwargs.items() if k not in policy})
        for name, default in policy.items():
            value = kwargs.get(name, default)
            setattr(self, name, list(value) if isinstance(value, tuple) else value)
        self._require_complete(policy)
        try:
            self.policies()
        except NotImplementedError:  # the base classes draw no views
            pass
        except (ArithmeticError, LookupError, TypeError) as error:
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

    def _require_complete(self, policy: dict[str, Any]) -> None:
        """Nothing is left out that a step needs."""
        name = type(self).__name__
        for attribute, default in policy.items():
            if default is not None and vars(self)[attribute] is None:
                raise ValueError(f"{name}.{attribute} must have a value, got None.")
            if isinstance(vars(self)[attribute], dict):
                raise ValueError(f"{name}.{attribute} must be a number or a list, got {vars(self)[attribute]!r:.100}.")
        if self.do_normalize and (self.image_mean is None or self.image_std is None):
            raise ValueError(f"{name} normalises (do_normalize), which needs image_mean and image_std.")
        side = self.crop_size if self.do_center_crop else self.size
        if side is None or side.get("height") is None or side.get("width") is None:
            field = "crop_size" if self.do_center_crop else "size"
            raise ValueError(f"{name}.{field} must have a height and a width, got {side}.")

    @classmethod
    def view_attributes(cls) -> dict[str, Any]:
        """Names and defaults of the view policy: the annotated attributes of the method's own class."""
        owners = [c for c in reversed(cls.__mro__) if issubclass(c, SSLImageProcessor)]
        return {name: vars(c)[name] for c in owners for name in vars(c).get("__annotations__", {})}

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

    def views(
        self, images: torch.Tensor | list[torch.Tensor], generator: torch.Generator | None = None
    ) -> BatchFeature:
        """
        Draw training views, independently for each sample.

        Args:
            images (`torch.Tensor` of shape `(batch, channels, height, width)`, or [`PackedImages`] or a list of
                `(channels, height, width)` of any sizes): uint8 in 0..255 or float in 0..1, 1 or 3 channels, on any
                device.
            generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

        Returns:
            `BatchFeature`: normalised float32 views of shape `(batch, views, channels, size, size)` under each name of
            `policies()`, on the device of the images.
        """
        return BatchFeature({name: self._draw(images, p, generator) for name, p in self.policies().items()})

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
    Views by SimCLR's pipeline: crop, flip, colour jitter, grey, blur, solarise (arXiv:2002.05709, appendix A).

    Args:
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): aspect ratio of the crops.
        flip_probability (`float`, *optional*, defaults to 0.5): horizontal flip.
        color_jitter (`list[float]`, *optional*): brightness, contrast, saturation and hue.
        color_jitter_probability (`float`, *optional*, defaults to 0.8)
        grayscale_probability (`float`, *optional*, defaults to 0.2)
        blur_probability (`float` or `list[float]`, *optional*): Gaussian blur, kernel of 10 % of the side; a list has
            one value for each kind of view, and is repeated where there are more views.
        blur_sigma (`list[float]`, *optional*, defaults to `[0.1, 2.0]`): in pixels.
        solarize_probability (`float` or `list[float]`, *optional*): as `blur_probability`.
        rotate_probability (`float`, *optional*, defaults to 0.0): by 90, 180 or 270 degrees, for images without an
            upright: textures, tissue, the sky.
    """

    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.4, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = 0.0
    rotate_probability: float = 0.0

    def policy(self, kind: int, size: int, crop_scale: list[float], **fields) -> ViewPolicy:
        """
        The policy of one kind of view.

        Args:
            kind (`int`): which of `blur_probability` and `solarize_probability` to take.
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
            blur_probability=_of_kind(self.blur_probability, kind),
            blur_sigma=tuple(self.blur_sigma),
            solarize_probability=_of_kind(self.solarize_probability, kind),
            rotate_probability=self.rotate_probability,
            **fields,
        )


def _of_kind(values: float | list[float], kind: int) -> float:
    return values[kind % len(values)] if isinstance(values, list) else values


class TwoViewImageProcessor(AugmentedImageProcessor):
    r"""
    Two views of one size, or more.

    Args:
        view_size (`int`, *optional*): side of the views in pixels; by default that of inference. Smaller views cost
            less, and an encoder may well be used at a larger size than it was trained at (arXiv:1906.06423).
        views_per_image (`int`, *optional*, defaults to 2)
        crop_scale (`list[float]`, *optional*): area of the crop, share of the image.
    """

    view_size: int | None = None
    views_per_image: int = 2
    crop_scale: list = [0.08, 1.0]

    def policies(self) -> dict[str, list[ViewPolicy]]:
        size = self.view_size or self.inference_size
        return {"pixel_values": [self.policy(i, size, self.crop_scale) for i in range(self.views_per_image)]}


class MultiCropImageProcessor(AugmentedImageProcessor):
    r"""
    Large crops (`pixel_values`) and small ones (`local_pixel_values`): SwAV (arXiv:2006.09882, section 3.2).

    Args:
        global_crop_size (`int`, *optional*): side of the large crops in pixels; by default that of inference.
        global_crop_scale (`list[float]`, *optional*): area, share of the image.
        global_crops (`int`, *optional*, defaults to 2): how many.
        local_crop_size (`int`, *optional*, defaults to 96): side of the small crops in pixels.
        local_crop_scale (`list[float]`, *optional*): area, share of the image.
        local_crops (`int`, *optional*): how many; 0 for none.
    """

    global_crop_size: int | None = None
    global_crop_scale: list = [0.14, 1.0]
    global_crops: int = 2
    local_crop_size: int = 96
    local_crop_scale: list = [0.05, 0.14]
    local_crops: int = 6

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """Kinds of views are the large crops one by one, then the small ones together."""
        size = self.global_crop_size or self.inference_size
        large = [self.policy(i, size, self.global_crop_scale) for i in range(self.global_crops)]
        if not self.local_crops:
            return {"pixel_values": large}
        small = self.policy(self.global_crops, self.local_crop_size, self.local_crop_scale)
        return {"pixel_values": large, "local_pixel_values": [small] * self.local_crops}
