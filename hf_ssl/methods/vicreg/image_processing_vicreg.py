"""Views of VICReg (arXiv:2105.04906, appendix C.1: those of BYOL, both views alike)."""

from ...image_processing_utils import TwoViewImageProcessor


class VICRegImageProcessor(TwoViewImageProcessor):
    """
    Two views; as in the official code the first is always blurred, the second seldom blurred and sometimes solarised;
    see [`TwoViewImageProcessor`].
    """

    color_jitter: list = [0.4, 0.4, 0.2, 0.1]
    blur_probability: float | list = [1.0, 0.1]
    solarize_probability: float | list = [0.0, 0.2]
