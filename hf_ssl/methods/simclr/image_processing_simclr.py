"""Views of SimCLR (arXiv:2002.05709, appendix A)."""

from ...image_processing_utils import TwoViewImageProcessor


class SimCLRImageProcessor(TwoViewImageProcessor):
    """
    Two views, or more, under one policy, with colour jitter at strength 1. What the attributes mean: see
    [`TwoViewImageProcessor`].
    """

    view_size: int | None = None  # that of inference: 224
    views_per_image: int = 2
    # Appendix A, random crop and resize.
    crop_scale: list = [0.08, 1.0]
    crop_ratio: list = [3 / 4, 4 / 3]
    flip_probability: float = 0.5
    # Appendix A, colour distortion: 0.8, 0.8, 0.8 and 0.2 times the strength.
    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    # Appendix A, Gaussian blur.
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]
    solarize_probability: float | list = 0.0  # no part of the policy: figure 4 has it among others
