"""Views of BYOL (arXiv:2006.07733, appendix B)."""

from ...image_processing_utils import TwoViewImageProcessor


class BYOLImageProcessor(TwoViewImageProcessor):
    """
    Two views under two policies: the first always blurred, the second seldom blurred and sometimes solarised. What the
    attributes mean: see [`TwoViewImageProcessor`].
    """

    # Appendix B, in words.
    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    # Table 6, a list has the first view and the second.
    flip_probability: float = 0.5
    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = [1.0, 0.1]
    blur_sigma: list = [0.1, 2.0]  # in words
    solarize_probability: float | list = [0.0, 0.2]
