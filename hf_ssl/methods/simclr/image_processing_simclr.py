"""Views of SimCLR (arXiv:2002.05709, appendix A)."""

from ...augment import ViewPolicy
from ...image_processing_utils import SSLImageProcessor


class SimCLRImageProcessor(SSLImageProcessor):
    r"""
    Two views, or more, under one policy.

    Args:
        view_size (`int`, *optional*): side of the views in pixels; by default that of inference. Smaller views cost
            less, and an encoder may well be used at a larger size than it was trained at (arXiv:1906.06423).
        views_per_image (`int`, *optional*, defaults to 2)
        crop_scale (`list[float]`, *optional*, defaults to `[0.08, 1.0]`): area of the crop, share of the image.
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): aspect ratio of the crop.
        flip_probability (`float`, *optional*, defaults to 0.5): horizontal flip.
        color_jitter (`list[float]`, *optional*, defaults to `[0.8, 0.8, 0.8, 0.2]`): brightness, contrast, saturation
            and hue at strength 1.
        color_jitter_probability (`float`, *optional*, defaults to 0.8)
        grayscale_probability (`float`, *optional*, defaults to 0.2)
        blur_probability (`float`, *optional*, defaults to 0.5): Gaussian blur, kernel of 10 % of the side.
        blur_sigma (`list[float]`, *optional*, defaults to `[0.1, 2.0]`): in pixels.
    """

    view_size: int | None = None
    views_per_image: int = 2
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float = 0.5
    blur_sigma: list = [0.1, 2.0]

    def policies(self) -> dict[str, list[ViewPolicy]]:
        brightness, contrast, saturation, hue = self.color_jitter
        policy = ViewPolicy(
            size=self.view_size or self.inference_size,
            crop_scale=tuple(self.crop_scale),
            crop_ratio=tuple(self.crop_ratio),
            interpolation="bicubic",
            flip_probability=self.flip_probability,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
            jitter_probability=self.color_jitter_probability,
            grayscale_probability=self.grayscale_probability,
            blur_probability=self.blur_probability,
            blur_sigma=tuple(self.blur_sigma),
        )
        return {"pixel_values": [policy] * self.views_per_image}
