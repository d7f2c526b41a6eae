"""A checkpoint as public code saves it, and what its network computes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(5))
SMALL = IMAGES[..., :32, :32]
OPTIMIZER = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.03, "params": [0]}]}


@dataclass
class Official:
    """
    Args:
        checkpoint (`dict`): what the public code saves.
        embed (`Callable`): images -> embeddings.
        outputs (`dict`): name -> (what the public network gives for the images, how to ask our model for it).
        fresh (`list[str]`): parts of our model that are not in the checkpoint.
        as_well (`tuple[str]`): methods whose bare encoders look the same.
    """

    method: str
    checkpoint: dict
    embed: Callable
    outputs: dict = field(default_factory=dict)
    fresh: list = field(default_factory=list)
    as_well: tuple = ()
    config: dict = field(default_factory=dict)
    size: int = 224


# What to ask a model of ours for: (model, images) -> tensor.


def embedding(model, images):
    return model.encoder()(images).pooler_output


def projection(model, images):
    return model.projector(embedding(model, images))


def prediction(model, images):
    return model.predictor(projection(model, images))


def target_projection(model, images):
    return model.target.projector(model.target.backbone(images).pooler_output.flatten(1))
