"""Barlow Twins (arXiv:2103.03230)."""

from typing import TYPE_CHECKING

from ...registry import MethodInfo, register_method

if TYPE_CHECKING:
    from ...modeling_utils import SSLForImageClassification as BarlowTwinsForImageClassification
    from ...modeling_utils import SSLModel as BarlowTwinsModel
    from .configuration_barlow_twins import BarlowTwinsConfig
    from .image_processing_barlow_twins import BarlowTwinsImageProcessor
    from .modeling_barlow_twins import BarlowTwinsForPreTraining

__all__ = [
    "BarlowTwinsConfig",
    "BarlowTwinsForImageClassification",
    "BarlowTwinsForPreTraining",
    "BarlowTwinsImageProcessor",
    "BarlowTwinsModel",
]

register_method(
    name="barlow_twins",
    info=MethodInfo(
        title="Barlow Twins",
        paper="2103.03230",
        year=2021,
        family="joint embedding",
        idea="decorrelate the features, agree on each of them",
    ),
    config="configuration_barlow_twins:BarlowTwinsConfig",
    pretraining="modeling_barlow_twins:BarlowTwinsForPreTraining",
    processor="image_processing_barlow_twins:BarlowTwinsImageProcessor",
    recipes="recipes_barlow_twins:RECIPES",
    convert="convert_barlow_twins:convert",
)
