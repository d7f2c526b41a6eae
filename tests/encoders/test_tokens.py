"""Patches left out, masked, and looked at: on every architecture that has them, and one sentence from the others."""

import pytest
import torch
from transformers import ViTConfig, ViTModel

from hf_ssl.augment.masks import random_masks, visible_indices
from hf_ssl.encoders import PlainTransformerEncoder, encoder_for
from hf_ssl.nn.patches import unpatchify

from .tiny import FAMILIES, MASKED, PLAIN, config_of

OTHERS = [name for name in FAMILIES if name not in PLAIN]


def network_of(name, mask_token=False):
    """A network whose positions, biases and scales are away from their special initial values."""
    torch.manual_seed(0)
    encoder = encoder_for(config_of(name))
    network = encoder.build(mask_token=mask_token).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder, network, encoder.example(FAMILIES[name][2])


@pytest.mark.parametrize("name", PLAIN)
def test_tokens_are_those_of_the_native_model(name):
    encoder, network, x = network_of(name)
    with torch.no_grad():
        # The native models of CLIP and of a BEiT that pools the patches show them before the norm.
        unnormed = "clip" in name or (name.startswith("beit") and encoder.config.use_mean_pooling)
        tokens = encoder.tokens(network, x, final_norm=not unnormed)
        hidden = encoder.embed(network, x).last_hidden_state
    assert tokens.grid == encoder.grid(32) == (4, 4) and tokens.prefix.shape[1] == encoder.num_prefix
    torch.testing.assert_close(torch.cat([tokens.prefix, tokens.patches], dim=1), hidden, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", PLAIN)
def test_patches_that_are_left_out_cannot_reach_the_layers(name):
    encoder, network, x = network_of(name)
    mask = random_masks(2, 16, 0.75, torch.Generator().manual_seed(0))
    visible, hidden = visible_indices(mask), unpatchify(mask[..., None].expand(-1, -1, 192).float(), 8, 32, 32)
    with torch.no_grad():
        kept = encoder.tokens(network, x, keep=visible)
        assert kept.patches.shape == (2, 4, 32) and kept.prefix.shape == (2, encoder.num_prefix, 32)
        assert torch.equal(kept.patches, encoder.tokens(network, x + 100 * hidden, keep=visible).patches)
        assert not torch.equal(kept.patches, encoder.tokens(network, x + 0.1 * (1 - hidden), keep=visible).patches)
        # All patches in another order are the same patches: positions and biases go with them.
        order = torch.stack([torch.randperm(16), torch.randperm(16)])
        shuffled, plain = encoder.tokens(network, x, keep=order), encoder.tokens(network, x)
    torch.testing.assert_close(shuffled.prefix, plain.prefix, atol=1e-5, rtol=1e-4)
    expected = plain.patches.gather(1, order[..., None].expand(-1, -1, 32))
    torch.testing.assert_close(shuffled.patches, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", MASKED)
def test_masked_patches_are_hidden_by_a_token_that_is_trained(name):
    encoder, network, x = network_of(name, mask_token=True)
    rows, columns = encoder.mask_grid(FAMILIES[name][2])
    mask = random_masks(2, rows * columns, 0.5, torch.Generator().manual_seed(0))
    channels = 3 * encoder.patch_size**2
    hidden = unpatchify(mask[..., None].expand(-1, -1, channels).float(), encoder.patch_size, *x.shape[-2:])
    masked = encoder.tokens(network, x, mask=mask)
    assert masked.patches.shape == encoder.tokens(network, x).patches.shape
    assert torch.equal(masked.patches, encoder.tokens(network, x + 9 * hidden, mask=mask).patches)
    masked.patches.square().sum().backward()
    assert network.get_parameter(encoder.mask_token_name).grad.abs().sum() > 0
    exported = encoder.native(network).state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in exported.values())


@pytest.mark.parametrize("name", ["vit", "vit_msn", "ijepa", "swin", "focalnet"])
def test_a_network_without_mask_token_says_so(name):
    encoder, network, x = network_of(name)
    with pytest.raises(ValueError, match=r"built without a mask token: use build\(mask_token=True\)"):
        encoder.tokens(network, x, mask=torch.zeros(2, 16, dtype=torch.bool))


@pytest.mark.parametrize("name", OTHERS)
def test_stages_need_all_their_patches(name):
    encoder, network, x = network_of(name)
    with torch.no_grad():
        tokens = encoder.tokens(network, x)
    rows, columns = tokens.grid
    assert tokens.patches.shape == (2, rows * columns, encoder.width) and tokens.prefix.shape[1] == 0
    assert tokens.grid == encoder.grid(FAMILIES[name][2])
    with pytest.raises(ValueError, match="needs all its patches"):
        encoder.tokens(network, x, keep=torch.zeros(2, 1, dtype=torch.long))
    if name not in MASKED:
        with pytest.raises(ValueError, match="has no mask token"):
            encoder.build(mask_token=True)


def test_biases_of_every_layer_of_data2vec_are_of_all_patches():
    encoder = encoder_for(config_of("data2vec", use_relative_position_bias=True))
    with pytest.raises(ValueError, match="none can be left out"):
        encoder.tokens(encoder.build(), encoder.example(32), keep=torch.zeros(2, 1, dtype=torch.long))


@pytest.mark.parametrize("name", PLAIN)
def test_attention_of_the_last_layer(name):
    encoder, network, x = network_of(name)
    with torch.no_grad():
        attention = encoder.attention(network, x)
    tokens = encoder.num_prefix + 16
    assert attention.shape == (2, 2, tokens, tokens)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 2, tokens), atol=1e-5, rtol=0)


def test_only_plain_transformers_are_plain():
    plain = {name for name in FAMILIES if isinstance(encoder_for(config_of(name)), PlainTransformerEncoder)}
    assert plain == set(PLAIN)


def test_drop_path_drops_whole_branches_in_training_only():
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, image_size=16, patch_size=4
    )
    vit, plain = encoder_for(config).build(drop_path=0.5), ViTModel(config, add_pooling_layer=False)
    plain.load_state_dict(vit.state_dict())
    assert vit.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(64, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(vit.eval()(x).last_hidden_state, plain(x).last_hidden_state)
        tokens = torch.randn(256, 5, 16)
        last = vit.train().layers[-1].mlp(tokens)
        dropped = (last == 0).flatten(1).all(1).float().mean()
        torch.testing.assert_close(last.mean(0), plain.layers[-1].mlp(tokens).mean(0), atol=0.1, rtol=0.5)
    assert 0.35 < dropped < 0.65
    assert vit.layers[0].mlp.fc2.drop_path.probability == 0.0


@pytest.mark.parametrize("name", [*PLAIN, "swin", "convnext", "hiera", "focalnet"])
def test_drop_path_is_there_whether_the_configuration_has_it_or_not(name):
    encoder = encoder_for(config_of(name))
    torch.manual_seed(0)
    network, x = encoder.build(drop_path=0.5).train(), encoder.example(FAMILIES[name][2], batch=16)
    with torch.no_grad():
        first, second = (encoder.embed(network, x).pooler_output for _ in range(2))
    assert not torch.equal(first, second)
    assert network.state_dict().keys() == encoder.build().state_dict().keys()


@pytest.mark.parametrize("name", FAMILIES)
def test_depths_of_parameters_rise_from_the_embeddings_to_the_norm(name):
    encoder = encoder_for(config_of(name))
    with torch.device("meta"):
        names = [parameter for parameter, _ in encoder.build().named_parameters()]
    depths = [encoder.layer_of(parameter) for parameter in names]
    assert set(range(1, encoder.num_blocks + 1)) <= set(depths) <= set(range(encoder.num_blocks + 2))
    if name in PLAIN:
        assert encoder.num_blocks == 2
        assert all(encoder.layer_of(n) == 0 for n in names if n.startswith("embeddings."))
    elif encoder.config.to_dict().get("depths"):
        assert encoder.num_blocks == sum(encoder.config.depths)


@pytest.mark.parametrize("name", FAMILIES)
def test_lora_targets_are_linear_layers_of_the_network(name):
    encoder = encoder_for(config_of(name))
    with torch.device("meta"):
        linear = [n for n, module in encoder.build().named_modules() if isinstance(module, torch.nn.Linear)]
    for target in encoder.lora_targets:
        assert any(n.split(".")[-1] == target for n in linear), target
    assert bool(encoder.lora_targets) or name not in PLAIN


@pytest.mark.parametrize("name", ["vit", "deit", "vit_msn", "ijepa", "clip", "siglip"])
def test_positions_are_fitted_to_another_size_once_and_for_all(name):
    encoder, network, _ = network_of(name)
    resized, x = encoder.resized(network, 48), encoder.example(48)
    assert resized.config.image_size == 48 and encoder.resized(network, 32) is None
    with torch.no_grad():
        expected = network(x, interpolate_pos_encoding=True).last_hidden_state
        torch.testing.assert_close(resized.eval()(x).last_hidden_state, expected)


# One of each kind of adapter: tracing takes seconds.
@pytest.mark.parametrize("name", ["beit with CLS and biases", "dinov3", "clip", "swin", "focalnet", "convnext"])
def test_a_step_is_one_graph(name):
    encoder, network, x = network_of(name)
    levels, _ = encoder.feature_levels()
    encoder.prepare_levels(network)

    def step(pixels):
        made = encoder_for(network.config)
        return made.embed(network, pixels).pooler_output, made.tokens(network, pixels, levels=levels).levels

    torch._dynamo.reset()
    with torch.no_grad():
        compiled, maps = torch.compile(step, fullgraph=True, backend="eager")(x)
        expected, plain = step(x)
    torch.testing.assert_close(compiled, expected)
    for one, other in zip(maps, plain, strict=True):
        torch.testing.assert_close(one, other)


def test_a_network_in_half_precision_is_built_in_the_default_dtype():
    config = config_of("vit")
    config.dtype = torch.float16
    network = encoder_for(config).build()
    assert network.dtype == torch.float32
    assert encoder_for(config).native(network.half()).dtype == torch.float16
