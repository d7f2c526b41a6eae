"""BEiT (arXiv:2106.08254)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as BEiTForImageClassification
    from ...modeling_utils import SSLModel as BEiTModel
    from .configuration_beit import BEiTConfig
    from .image_processing_beit import BEiTImageProcessor
    from .modeling_beit import BEiTForPreTraining, BEiTOutput

__all__ = [
    "BEiTConfig",
    "BEiTForImageClassification",
    "BEiTForPreTraining",
    "BEiTImageProcessor",
    "BEiTModel",
    "BEiTOutput",
]

register_method(
    name="beit",
    info=MethodInfo(
        title="BEiT",
        paper="2106.08254",
        year=2021,
        family="masked images",
        idea="the encoder names the visual words of the patches that it does not see",
    ),
    config="configuration_beit:BEiTConfig",
    pretraining="modeling_beit:BEiTForPreTraining",
    processor="image_processing_beit:BEiTImageProcessor",
    recipes="recipes_beit:RECIPES",
)
