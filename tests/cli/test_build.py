"""What a method's recipe builds on the encoders that have names."""

import pytest
import torch

from hf_ssl.cli.build import build_model, build_processor
from hf_ssl.cli.plan import choose_recipe
from hf_ssl.registry import METHODS

CASES = [(m, b) for m in METHODS for b in ("vit-nano", "resnet-nano") if METHODS[m].batch != "masked" or b[0] == "v"]


@pytest.mark.parametrize("name", ["small", "photos"])
@pytest.mark.parametrize(("method", "backbone"), CASES)
def test_recipes_for_a_cpu_run_on_both_kinds_of_encoder(method, backbone, name):
    row = METHODS[method]
    recipe = choose_recipe(row, name, has_upright=True)
    model, base = build_model(row, recipe, backbone, {}, image_size=32, seed=0, label_names=["a", "b"])
    assert base is None
    # A recipe's pooling speaks of a ViT.
    assert model.config.pooling in (None, "mean") and (model.config.pooling is None or backbone == "vit-nano")
    processor = build_processor(row, recipe, {}, image_size=32, model=model)
    model.on_data(4096)
    views = dict(processor.views(torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)))
    extras = {"labels": torch.tensor([0, 1, 0, 1]), "sample_index": torch.arange(4)}
    output = model.train()(**views, **{name: extras[name] for name in model.forward_extras})
    assert output.loss.isfinite()
    output.loss.backward()


@pytest.mark.parametrize(("backbone", "spread"), [(None, 0.05), ("vit-nano", 0.05), ("vit-micro", 0.07)])
def test_a_recipe_sets_the_first_weights_of_its_own_encoder_only(backbone, spread):
    row = METHODS["simclr"]
    recipe = choose_recipe(row, "small", has_upright=False)
    model, _ = build_model(row, recipe, backbone, {}, image_size=32, seed=0, label_names=None)
    assert model.config.backbone_config.initializer_range == spread
    linear = next(m for m in model.backbone.layers.modules() if isinstance(m, torch.nn.Linear))
    assert linear.weight.std().item() == pytest.approx(spread, rel=0.1)
