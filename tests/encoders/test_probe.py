"""An encoder that cannot serve a view is refused before anything is read, with sizes that work."""

import pytest
import torch

from hf_ssl.encoders import Encoder, encoder_for, probe
from hf_ssl.encoders.fallback import FallbackEncoder
from hf_ssl.encoders.families import ENCODERS

from .tiny import FAMILIES, config_of


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_serves_its_own_size(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    size = FAMILIES[name][2]
    probe(config_of(name), [size], published_size=size)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["vit", "beit with CLS and biases", "dinov2", "ijepa", "clip", "siglip"])
def test_transformers_serve_crops_of_other_sizes(name):
    probe(config_of(name), [32, 16, 48], published_size=32)


@pytest.mark.parametrize(
    ("name", "fields", "sizes", "said"),
    [
        ("convnext", {}, [64, 16], r"images of 16 pixels \(.*such as 32"),
        ("hiera", {}, [64, 72], r"images of 72 pixels \(.*such as 64"),
        ("vit", {}, [32, 4], r"images of 4 pixels \(.*smaller than one patch.*such as 8, 16"),
        # A stage of 4 cells a side would need a window of 8.
        ("swin", {"window_size": 8}, [32, 16], r"images of 16 pixels \(.*such as 32"),
        # The first crop of 16 pixels would turn off the shifted windows of the larger views, for good.
        ("swin", {}, [32, 16], r"images of 16 pixels \(.*change each other's embeddings.*such as 32"),
    ],
)
def test_views_that_do_not_fit(name, fields, sizes, said):
    with pytest.raises(ValueError, match=said) as raised:
        probe(config_of(name, **fields), sizes)
    assert len(str(raised.value).split(". ")) == 1
    probe(config_of(name, **fields), sizes[:1])


def test_what_is_published_has_to_be_taken_without_an_option():
    probe(config_of("vit"), [48])
    with pytest.raises(ValueError, match="cannot take images of 48 pixels .*doesn't match model"):
        probe(config_of("vit"), [48], published_size=48)


class Dropping(FallbackEncoder):
    """It forgets to be in eval mode, or to be finite, or what it is wide."""

    trouble = "random"

    def embed(self, network, inputs, pooling=None, **kwargs):
        outputs = super().embed(network, inputs, pooling, **kwargs)
        pooled = outputs.pooler_output
        outputs["pooler_output"] = {
            "random": pooled + torch.rand_like(pooled),
            "wide": pooled[:, 1:],
            "infinite": pooled / 0,
            "double": pooled.double(),
        }[self.trouble]
        return outputs


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("random", "another one every time"),
        ("wide", r"has the shape \(2, 31\) instead of \(2, 32\)"),
        ("infinite", "not finite"),
        ("double", "is of torch.float64 instead of torch.float32"),
    ],
)
def test_embeddings_that_nobody_could_use(trouble, said, monkeypatch):
    monkeypatch.setitem(ENCODERS, "dinov2", Dropping)
    monkeypatch.setattr(Dropping, "trouble", trouble)
    with pytest.raises(ValueError, match=said):
        probe(config_of("dinov2"), [32])


def test_dtype():
    probe(config_of("vit"), [32], dtype=torch.bfloat16)


def test_the_base_class_knows_no_images():
    encoder = Encoder(config_of("vit"))
    assert encoder.sizes_near(7) == [] and encoder.contract().code == "outputs.pooler_output"
    with pytest.raises(NotImplementedError):
        encoder.example(7)
    assert isinstance(encoder_for(config_of("vit").to_dict()), Encoder)
