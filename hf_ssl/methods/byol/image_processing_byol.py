"""Views of BYOL (arXiv:2006.07733, appendix B, table 6)."""

from ...image_processing_utils import TwoViewImageProcessor


class BYOLImageProcessor(TwoViewImageProcessor):
    """
    Two views under two policies: the first always blurred, the second seldom blurred and sometimes solarised; see
    [`TwoViewImageProcessor`].
    """

    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    blur_probability: float | list = [1.0, 0.1]
    solarize_probability: float | list = [0.0, 0.2]
