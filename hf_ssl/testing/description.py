"""A method describes itself: names, fields with documentation, recipes, and views of any images."""

import inspect
import re
from dataclasses import fields

import pytest
import torch
import transformers

from ..backbones import BACKBONES as ENCODERS
from ..image_processing_utils import SSLImageProcessor
from ..modeling_utils import SSLPreTrainedModel
from ..registry import METHODS
from ..training import SSLTrainingArguments
from .tiny import build_model, build_processor, build_views


class DescriptionContract:
    """See [`MethodContract`]."""

    def test_names_are_free_in_transformers(self, method):
        row = METHODS[method]
        assert row.config_class.model_type == f"ssl_{method}"
        for name in row.class_names:
            assert name not in dir(transformers), name
            assert vars(row.find(name))["__module__"].startswith(row.module_name.partition(".")[0])
        # transformers takes whatever lies in a package called so for its own.
        assert "models" not in row.pretraining_class.__module__.split(".")

    def test_what_people_know_of_it_is_complete(self, method):  # a sentence of the card is made of it
        info = METHODS[method].info
        assert re.fullmatch(r"\d{4}\.\d{4,5}", info.paper) and 1950 < info.year < 2100 and info.title and info.family
        assert "\n" not in info.idea and not info.idea.endswith(".") and len(info.idea.split()) > 3

    def test_no_remote_code_and_prefix(self, method):
        cls = METHODS[method].pretraining_class
        assert cls._auto_class is None and cls.base_model_prefix == "backbone" and issubclass(cls, SSLPreTrainedModel)

    def test_config_rejects_typos_and_documents_its_fields(self, method):
        cls = METHODS[method].config_class
        with pytest.raises(ValueError, match="has no field 'backbone_confg'. Did you mean 'backbone_config'?"):
            cls(backbone_confg={})
        for name in vars(cls).get("__annotations__", {}):
            if name != "model_type":
                assert f"\n        {name} (" in cls.__doc__, f"{cls.__name__}.{name} is not documented"

    def test_processor_rejects_typos_documents_itself_and_round_trips(self, method, tmp_path):
        cls = METHODS[method].image_processor_class
        with pytest.raises(ValueError, match="has no attribute 'crop_sise'. Did you mean 'crop_size'?"):
            cls(crop_sise=1)
        documented = "".join(c.__doc__ for c in cls.__mro__ if issubclass(c, SSLImageProcessor))
        for name in cls.view_attributes():
            assert f"\n        {name} (" in documented, f"{cls.__name__}.{name} is not documented"
        processor = build_processor(method, rescale_factor=0.5)
        processor.save_pretrained(tmp_path)
        again = cls.from_pretrained(tmp_path)
        assert again.to_dict() == processor.to_dict() and again.rescale_factor == 0.5

    def test_views_depend_on_the_generator_alone(self, method):
        processor = build_processor(method)
        images = torch.randint(0, 256, (4, 3, 40, 36), dtype=torch.uint8)
        first, again, other = (
            processor.views(image=images, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
        )
        for name in first:
            assert torch.equal(first[name], again[name])
            assert not torch.equal(first[name], other[name])
        assert first["pixel_values"].dtype == torch.float32 and first["pixel_values"].shape[-2:] == (32, 32)

    def test_grey_and_ragged_images_become_views(self, method):
        processor = build_processor(method)
        images = [torch.randint(0, 256, (1, 20 + 3 * i, 50), dtype=torch.uint8) for i in range(3)]
        views = processor.views(image=images, generator=torch.Generator().manual_seed(0))
        assert views["pixel_values"].shape[0] == 3 and views["pixel_values"].shape[-3] == 3
        extras = {k: v for k, v in build_views(method, batch=3).items() if k in ("labels", "sample_index")}
        build_model(method)(**views, **extras).loss.backward()

    def test_recipes_name_real_fields(self, method):
        row = METHODS[method]
        assert {"paper", "small", "tiny"} <= row.recipes.keys()
        for recipe in row.recipes.values():
            assert recipe.config.keys() <= {f.name for f in fields(row.config_class)}
            assert recipe.processor.keys() <= row.image_processor_class.view_attributes().keys()
            assert recipe.training.keys() <= {f.name for f in fields(SSLTrainingArguments)}
            assert recipe.backbone in ENCODERS and recipe.description

    def test_loss_keywords_of_the_trainer_cannot_scale_gradients(self, method):
        cls = METHODS[method].pretraining_class
        assert cls.accepts_loss_kwargs is False
        assert inspect.signature(cls.forward).parameters["return_loss"].default is True
