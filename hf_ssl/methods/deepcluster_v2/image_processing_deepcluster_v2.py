"""Views of DeepCluster v2: those of SwAV (arXiv:2006.09882, section 3.2)."""

from ...image_processing_utils import MultiCropImageProcessor


class DeepClusterV2ImageProcessor(MultiCropImageProcessor):
    """
    Multi-crop: two large and six small crops under one policy. What the attributes mean: see
    [`MultiCropImageProcessor`].
    """

    # `deepclusterv2_800ep_pretrain.sh` of the official code, which has the crops of SwAV.
    global_crop_size: int | None = None  # that of inference: 224
    global_crop_scale: list = [0.14, 1.0]
    global_crops: int = 2
    local_crop_size: int = 96
    local_crop_scale: list = [0.05, 0.14]
    local_crops: int = 6
    # `MultiCropDataset` of the official code, for all crops.
    crop_ratio: list = [3 / 4, 4 / 3]  # torchvision's RandomResizedCrop as it is
    flip_probability: float = 0.5
    color_jitter: list = [0.8, 0.8, 0.8, 0.2]
    color_jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float | list = 0.5
    blur_sigma: list = [0.1, 2.0]
