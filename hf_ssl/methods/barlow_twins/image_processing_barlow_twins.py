"""Views of Barlow Twins (arXiv:2103.03230, section 2.2: those of BYOL)."""

from ...image_processing_utils import TwoViewImageProcessor


class BarlowTwinsImageProcessor(TwoViewImageProcessor):
    """
    Two views under two policies: the first always blurred, the second seldom blurred and sometimes solarised; see
    [`TwoViewImageProcessor`].
    """

    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    blur_probability: float | list = [1.0, 0.1]
    solarize_probability: float | list = [0.0, 0.2]
