"""Base of the image processors: the plain call preprocesses for inference, `views` makes training views."""

from typing import Any

import torch
from transformers import BatchFeature
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, PILImageResampling

from .augment import ViewPolicy, make_view
from .configuration_utils import closest

# Written by transformers into every preprocessor_config.json.
_SAVED_KEYS = {"image_processor_type", "processor_class", "feature_extractor_type", "auto_map", "_valid_kwargs_names"}


class SSLImageProcessor(PilBackend):
    """
    Called with images it does ordinary, deterministic preprocessing, exactly as a native `ViTImageProcessor` with the
    same attributes. `views` draws the method's training views; every hyper-parameter of the policy is a class
    attribute of the method's processor, overridable in the constructor and saved with it.

    Raises:
        ValueError: for a keyword that is no attribute, with the nearest name.
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

    def __init__(self, **kwargs):
        policy = self.view_attributes()
        known = set(policy) | set(self.valid_kwargs.__annotations__)
        for name in kwargs:
            if name not in known | _SAVED_KEYS:
                raise ValueError(f"{type(self).__name__} has no attribute {name!r}.{closest(name, known)}")
        super().__init__(**{k: v for k, v in kwargs.items() if k not in policy})
        for name, default in policy.items():
            value = kwargs.get(name, default)
            setattr(self, name, list(value) if isinstance(value, tuple) else value)

    @classmethod
    def view_attributes(cls) -> dict[str, Any]:
        """Names and defaults of the view policy: the annotated attributes of the method's own class."""
        owners = [c for c in reversed(cls.__mro__) if issubclass(c, SSLImageProcessor)]
        return {name: vars(c)[name] for c in owners for name in vars(c).get("__annotations__", {})}

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """The views to draw: name of the batch entry -> one `ViewPolicy` for each view."""
        raise NotImplementedError

    def views(
        self, images: torch.Tensor | list[torch.Tensor], generator: torch.Generator | None = None
    ) -> BatchFeature:
        """
        Draw training views, independently for each sample.

        Args:
            images (`torch.Tensor` of shape `(batch, channels, height, width)`, or a list of `(channels, height,
                width)` of any sizes): uint8 in 0..255 or float in 0..1, 1 or 3 channels, on any device.
            generator (`torch.Generator`, *optional*): the only source of randomness; on the CPU.

        Returns:
            `BatchFeature`: normalised float32 views of shape `(batch, views, channels, size, size)` under each name of
            `policies()`, on the device of the images.
        """
        return BatchFeature(
            {
                name: torch.stack([self.finish(make_view(images, p, generator)) for p in policies], dim=1)
                for name, policies in self.policies().items()
            }
        )

    def finish(self, view: torch.Tensor) -> torch.Tensor:
        """Grey to RGB where the encoder wants it, then normalise: (batch, channels, size, size) in 0..1."""
        if self.do_normalize:
            grey = view.shape[1] == 1
            mean, std = (torch.tensor(v, device=view.device) for v in (self.image_mean, self.image_std))
            if grey and self.do_convert_rgb:
                view = view.expand(-1, len(mean), -1, -1)
            view = (view - mean[:, None, None]) / std[:, None, None]
        elif self.do_convert_rgb and view.shape[1] == 1:
            view = view.expand(-1, 3, -1, -1)
        return view

    @property
    def inference_size(self) -> int:
        """Side in pixels of what the plain call gives."""
        return self.crop_size["height"] if self.do_center_crop else self.size["height"]
