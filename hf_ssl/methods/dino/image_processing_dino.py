"""Views of DINO (arXiv:2104.14294, section 3; values of the official code)."""

from ...augment import ViewPolicy
from ...image_processing_utils import SSLImageProcessor


class DinoImageProcessor(SSLImageProcessor):
    r"""
    Multi-crop: two large crops (`pixel_values`) with different blur and solarisation, and small ones
    (`local_pixel_values`).

    Args:
        global_crop_size (`int`, *optional*): side of the large crops in pixels; by default that of inference.
        global_crop_scale (`list[float]`, *optional*, defaults to `[0.4, 1.0]`): area, share of the image.
        local_crop_scale (`list[float]`, *optional*, defaults to `[0.05, 0.4]`)
        local_crop_size (`int`, *optional*, defaults to 96): side of the small crops in pixels.
        local_crops (`int`, *optional*, defaults to 8): how many; 0 for none.
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): aspect ratio of the crops.
        flip_probability (`float`, *optional*, defaults to 0.5)
        color_jitter (`list[float]`, *optional*, defaults to `[0.4, 0.4, 0.2, 0.1]`): brightness, contrast, saturation,
            hue.
        color_jitter_probability (`float`, *optional*, defaults to 0.8)
        grayscale_probability (`float`, *optional*, defaults to 0.2)
        blur_probability (`list[float]`, *optional*, defaults to `[1.0, 0.1, 0.5]`): of the first and second large crop
            and of the small ones.
        blur_sigma (`list[float]`, *optional*, defaults to `[0.1, 2.0]`): in pixels.
        solarize_probability (`list[float]`, *optional*, defaults to `[0.0, 0.2, 0.0]`): in the same order.
    """

    global_crop_size: int | None = None
    global_crop_scale: list = [0.4, 1.0]
    local_crop_scale: list = [0.05, 0.4]
    local_crop_size: int = 96
    local_crops: int = 8
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: list = [1.0, 0.1, 0.5]
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: list = [0.0, 0.2, 0.0]

    def policies(self) -> dict[str, list[ViewPolicy]]:
        first, second, local = (
            self._policy(size, scale, blur, solarize)
            for size, scale, blur, solarize in zip(
                (*[self.global_crop_size or self.inference_size] * 2, self.local_crop_size),
                (self.global_crop_scale, self.global_crop_scale, self.local_crop_scale),
                self.blur_probability,
                self.solarize_probability,
                strict=True,
            )
        )
        policies = {"pixel_values": [first, second]}
        return policies | {"local_pixel_values": [local] * self.local_crops} if self.local_crops else policies

    def _policy(self, size: int, scale: list[float], blur: float, solarize: float) -> ViewPolicy:
        brightness, contrast, saturation, hue = self.color_jitter
        return ViewPolicy(
            size=size,
            crop_scale=tuple(scale),
            crop_ratio=tuple(self.crop_ratio),
            interpolation="bicubic",
            flip_probability=self.flip_probability,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
            jitter_probability=self.color_jitter_probability,
            grayscale_probability=self.grayscale_probability,
            blur_probability=blur,
            blur_sigma=tuple(self.blur_sigma),
            solarize_probability=solarize,
        )
