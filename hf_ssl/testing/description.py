"""A method describes itself: names, fields with documentation, recipes, and views of any images."""

import inspect
import re
from dataclasses import fields

import pytest
import torch
import transformers

from ..backbones import BACKBONES as ENCODERS
from ..modalities import modality_of_sample
from ..modeling_utils import SSLPreTrainedModel
from ..processing_utils import SSLProcessorMixin
from ..registry import METHODS
from ..training import SSLTrainingArguments
from .tiny import RAGGED, SIZE, build_model, build_processor, build_views, encoder_of


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
        for name in vars(cls).get("__annotations__", {}).keys() & {f.name for f in fields(cls)}:
            assert f"\n        {name} (" in cls.__doc__, f"{cls.__name__}.{name} is not documented"

    def test_processor_rejects_typos_documents_itself_and_round_trips(self, method, tmp_path):
        cls = METHODS[method].processor_class
        listed = cls.view_attributes()
        meant, value = next(item for item in listed.items() if isinstance(item[1], int | float))
        changed = value + 1 if isinstance(value, int) else value / 2 + 0.25
        typo = meant[:-2] + meant[:-3:-1]
        with pytest.raises(ValueError, match=f"has no attribute '{typo}'. Did you mean '{meant}'?"):
            cls(**{typo: 1})
        documented = "".join(c.__doc__ for c in cls.__mro__ if issubclass(c, SSLProcessorMixin))
        for name in listed:
            assert f"\n        {name} (" in documented, f"{cls.__name__}.{name} is not documented"
        processor = build_processor(method, **{meant: changed})
        processor.save_pretrained(tmp_path)
        again = cls.from_pretrained(tmp_path)
        assert again.to_dict() == processor.to_dict() and again.to_dict()[meant] == changed

    def test_views_depend_on_the_generator_alone(self, method):
        processor = build_processor(method)
        samples = processor.example(40, batch=4)
        first, again, other = (
            processor.views(generator=torch.Generator().manual_seed(seed), **samples) for seed in (0, 0, 1)
        )
        main = METHODS[method].modality.input_name
        read = {modality_of_sample(key).input_name for key in processor.sample_keys} - {main}  # such as tokens
        for name in first:
            assert torch.equal(first[name], again[name])
            assert torch.equal(first[name], other[name]) is (name in read)
        views = first[main]
        assert views.dtype == torch.float32 and views.shape[-2:] == encoder_of(method).example(SIZE).shape[-2:]

    def test_grey_and_ragged_samples_become_views(self, method):
        processor = build_processor(method)
        samples = processor.example(40, batch=3) | {
            key: RAGGED[key]() for key in processor.sample_keys if key in RAGGED
        }
        views = processor.views(generator=torch.Generator().manual_seed(0), **samples)
        main, inputs = views[METHODS[method].modality.input_name], encoder_of(method).example(SIZE)
        assert main.shape[0] == 3 and main.shape[-inputs.ndim + 1 :] == inputs.shape[1:]
        extras = {k: v for k, v in build_views(method, batch=3).items() if k in ("labels", "sample_index")}
        build_model(method)(**views, **extras).loss.backward()

    def test_recipes_name_real_fields(self, method):
        row = METHODS[method]
        assert {"paper", "small", "tiny"} <= row.recipes.keys()
        for recipe in row.recipes.values():
            assert recipe.config.keys() <= {f.name for f in fields(row.config_class)}
            known = row.processor_class.view_attributes().keys() | build_processor(method).to_dict().keys()
            assert recipe.processor.keys() <= known
            assert recipe.training.keys() <= {f.name for f in fields(SSLTrainingArguments)}
            assert recipe.backbone in ENCODERS and recipe.description

    def test_loss_keywords_of_the_trainer_cannot_scale_gradients(self, method):
        cls = METHODS[method].pretraining_class
        assert cls.accepts_loss_kwargs is False
        assert inspect.signature(cls.forward).parameters["return_loss"].default is True
