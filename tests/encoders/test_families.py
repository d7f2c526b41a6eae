"""Every family trains, is exported and comes back with the same embedding in a process that knows nothing of us."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import is_timm_available

from hf_ssl.encoders import encoder_for
from hf_ssl.registry import METHODS

from ..clean_process import run_clean
from .tiny import FAMILIES, config_of

CASES = [*FAMILIES, "vit, mean"]
_CLEAN = """
import json, torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel
for folder, code in json.load(sys.stdin):
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), (folder, info)
    with torch.no_grad():
        outputs = model.eval()(load_file(f"{folder}/pixels.safetensors")["pixels"])
    pooled = outputs.get("pooler_output")
    hidden = outputs.last_hidden_state
    contract = hidden.flatten(2).mean(2) if hidden.ndim == 4 else hidden.mean(1)
    contract = contract if pooled is None else pooled.flatten(1)
    save_file({"by code": eval(code).clone(), "by contract": contract.clone()}, f"{folder}/clean.safetensors")
"""


def trained(name):
    """A SimCLR around a tiny encoder, after one step that moved every weight and every BatchNorm."""
    family, _, pooling = name.partition(", ")
    torch.manual_seed(0)
    row, size = METHODS["simclr"], FAMILIES[family][2]
    config = row.config_class(
        backbone_config=config_of(family), pooling=pooling or None, projection_sizes=[16, 8], temperature=0.5
    )
    model = row.pretraining_class(config).train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = model(torch.randn(4, 2, 3, size, size)).loss
    loss.backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    optimizer.step()
    return model.eval(), loss, without


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root, cases, commands = tmp_path_factory.mktemp("families"), {}, []
    for name in CASES:
        model, loss, without = trained(name)
        folder, size = root / name.replace(" ", "_").replace(",", ""), FAMILIES[name.partition(", ")[0]][2]
        model.native_encoder().save_pretrained(folder)
        pixels = torch.randn(3, 3, size, size)
        save_file({"pixels": pixels}, folder / "pixels.safetensors")
        code = encoder_for(model.config.backbone_config).contract(model.config.pooling).code
        cases[name] = model, pixels, folder, loss, without
        commands.append((str(folder), code))
    run_clean(_CLEAN, input=json.dumps(commands))
    return cases


# The native classes look at CLS alone, or at the pooled cells: these take no part in an embedding.
_UNUSED = {"data2vec": (), "siglip without head": ("head.",)}


@pytest.mark.parametrize("name", CASES)
def test_one_step_trains_every_weight(exported, name):
    *_, loss, without = exported[name]
    assert loss.isfinite()
    assert not without


@pytest.mark.parametrize("name", CASES)
def test_a_clean_process_gives_the_embedding_that_the_card_documents(exported, name):
    model, pixels, folder, *_ = exported[name]
    clean = load_file(folder / "clean.safetensors")
    with torch.no_grad():
        ours, again = (model.encoder()(pixels).pooler_output for _ in range(2))
    assert torch.equal(ours, again)
    assert ours.shape == (3, encoder_for(model.config.backbone_config).width) and ours.std(0).max() > 0
    close = {"atol": 1e-5 * max(1.0, ours.abs().max().item()), "rtol": 1e-5}  # more threads, another order of sums
    torch.testing.assert_close(clean["by code"], ours, **close)
    torch.testing.assert_close(clean["by contract"], ours, **close)


@pytest.mark.parametrize("name", CASES)
def test_what_was_published_starts_another_run(exported, name):
    model, _, folder, *_ = exported[name]
    again = METHODS["simclr"].pretraining_class.from_backbone(str(folder), {"projection_sizes": [16, 8]})
    pixels = exported[name][1]
    with torch.no_grad():
        embedding = again.eval().encoder()(pixels).pooler_output
        torch.testing.assert_close(embedding, model.encoder()(pixels).pooler_output, atol=1e-5, rtol=1e-5)


def test_a_vit_mae_is_trained_as_the_vit_that_it_is(tmp_path):
    from transformers import AutoModel

    native = AutoModel.from_config(config_of("vit_mae"))
    native.save_pretrained(tmp_path)
    model = METHODS["simclr"].pretraining_class.from_backbone(str(tmp_path))
    assert model.config.backbone_config.model_type == "vit"
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, native.state_dict()[name]), name


@pytest.mark.skipif(not is_timm_available(), reason="timm is not installed")
def test_an_encoder_of_timm():
    from transformers import TimmWrapperConfig

    encoder = encoder_for(TimmWrapperConfig(architecture="resnet18"))
    network, pixels = encoder.build().eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        embedding = encoder.embed(network, pixels).pooler_output
        outputs = encoder.native(network)(pixels)
    assert embedding.shape == (2, encoder.width) == (2, 512)
    assert torch.equal(eval(encoder.contract().code, {"outputs": outputs}), embedding)


def test_an_architecture_that_nobody_knows_gets_what_its_outputs_tell():
    from transformers import AutoConfig

    config = AutoConfig.for_model("bit", hidden_sizes=[8, 16], depths=[1, 1], embedding_size=8, num_groups=4)
    encoder = encoder_for(config)
    network = encoder.build().eval()
    with torch.no_grad():
        assert encoder.embed(network, torch.randn(2, 3, 32, 32)).pooler_output.shape == (2, 16)
    with pytest.raises(ValueError, match="'bit' encoder shows no patches"):
        encoder.tokens(network, torch.randn(2, 3, 32, 32))
    with pytest.raises(ValueError, match="'bert' model reads input_ids, no images"):
        encoder_for({"model_type": "bert", "num_hidden_layers": 1}).build()
