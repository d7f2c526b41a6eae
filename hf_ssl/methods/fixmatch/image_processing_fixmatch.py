"""Views of FixMatch (arXiv:2001.07685, section 2.3): a weak and a strong one."""

from ...augment import RANDAUGMENT_OPS, ViewPolicy
from ...image_processing_utils import SSLImageProcessor

# Table 12 of the paper.
_LEFT_OUT = ("invert", "solarize_add")


class FixMatchImageProcessor(SSLImageProcessor):
    r"""
    Two views of every image. The weak one is flipped and shifted; the strong one is flipped and shifted anew, then
    distorted by RandAugment, then a square of it is covered (Cutout). Strengths of RandAugment are those of
    [`~augment.randaugment`], whose colours change more and shifts are wider than in the paper's table 12.

    Args:
        view_size (`int`, *optional*): side of the views in pixels; `None` for that of inference.
        crop_scale (`list[float]`, *optional*): area of a random crop, share of the image; by default none: the largest
            centred square.
        crop_ratio (`list[float]`, *optional*, defaults to `[3/4, 4/3]`): its width by its height.
        flip_probability (`float`, *optional*, defaults to 0.5): horizontal flip.
        shift (`float`, *optional*, defaults to 0.125): at most, in either direction along both axes, by the side; what
            comes in is mirrored.
        rotate_probability (`float`, *optional*, defaults to 0.0): by 90, 180 or 270 degrees, for images without an
            upright; of both views.
        randaugment_ops (`list[str]`, *optional*): operators to draw from, of `RANDAUGMENT_OPS`; by default those of
            the paper, and `[]` for no RandAugment.
        randaugment_layers (`int`, *optional*, defaults to 2): operators in a row, drawn with replacement.
        randaugment_probability (`float`, *optional*, defaults to 0.5): of each of them to act.
        randaugment_magnitude (`float`, *optional*, defaults to 10.0): strengths are drawn uniformly up to this, at
            most 10.
        cutout_probability (`float`, *optional*, defaults to 1.0): of the covered square.
        cutout_scale (`list[float]`, *optional*, defaults to `[0.25, 0.25]`): its area, share of the view.
    """

    view_size: int | None = None
    crop_scale: list | None = None
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    shift: float = 0.125
    rotate_probability: float = 0.0
    randaugment_ops: list = [op for op in RANDAUGMENT_OPS if op not in _LEFT_OUT]
    randaugment_layers: int = 2
    randaugment_probability: float = 0.5
    randaugment_magnitude: float = 10.0
    cutout_probability: float = 1.0
    cutout_scale: list = [0.25, 0.25]

    def policies(self) -> dict[str, list[ViewPolicy]]:
        """The weak view and the strong one, in this order."""
        weak = {
            "size": self.view_size or self.inference_size,
            "crop_scale": None if self.crop_scale is None else tuple(self.crop_scale),
            "crop_ratio": tuple(self.crop_ratio),
            "interpolation": "bicubic",
            "flip_probability": self.flip_probability,
            "shift": self.shift,
            "jitter_probability": 0.0,
            "grayscale_probability": 0.0,
            "rotate_probability": self.rotate_probability,
        }
        strong = weak | {
            "randaugment_ops": tuple(self.randaugment_ops),
            "randaugment_layers": self.randaugment_layers,
            "randaugment_probability": self.randaugment_probability,
            "randaugment_magnitude": self.randaugment_magnitude,
            "randaugment_magnitude_std": None,
            "cutout_probability": self.cutout_probability,
            "cutout_scale": tuple(self.cutout_scale),
        }
        return {"pixel_values": [ViewPolicy(**weak), ViewPolicy(**strong)]}
