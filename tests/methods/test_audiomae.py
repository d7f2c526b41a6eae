"""Audio-MAE: the loss and the positions of the official code, and what plain transformers loads."""

import numpy as np
import pytest
import torch
from transformers import ASTConfig, ASTFeatureExtractor, AutoFeatureExtractor

from hf_ssl.encoders import encoder_for
from hf_ssl.methods.audiomae import AudioMAEConfig, AudioMAEFeatureExtractor
from hf_ssl.testing import build_model, build_processor, build_views

from .steps import loaded_by_transformers


def official_patches(spectrograms: torch.Tensor, p: int) -> torch.Tensor:
    """`models_mae.py`: patches along time first, (batch, times * frequencies, p * p)."""
    batch, time, mel = spectrograms.shape
    cells = spectrograms.reshape(batch, time // p, p, mel // p, p)
    return torch.einsum("bhpwq->bhwpq", cells).reshape(batch, -1, p * p)


def to_official(patches: torch.Tensor, frequencies: int, times: int) -> torch.Tensor:
    """From our order, along frequency first, to that of the official code."""
    return patches.unflatten(1, (frequencies, times)).transpose(1, 2).flatten(1, 2)


def test_loss_is_that_of_the_official_code():
    model, views = build_model("audiomae").eval(), build_views("audiomae")
    with torch.no_grad():
        output = model(**views)
        tokens = encoder_for(model.config.backbone_config).tokens(
            model.backbone, views["input_values"], keep=views["visible_patches"]
        )
        prediction = model.decoder(tokens.patches, views["visible_patches"])
    target = official_patches(views["input_values"], 8)
    target = (target - target.mean(2, keepdim=True)) / (target.var(2, keepdim=True) + 1e-6) ** 0.5
    ours = prediction.unflatten(2, (8, 8)).transpose(2, 3).flatten(2)  # pixels of a patch along time first, too
    error = (to_official(ours, 4, 4) - target).square().mean(2)
    mask = to_official(views["bool_masked_pos"][..., None], 4, 4)[..., 0]
    torch.testing.assert_close(output.loss, (error * mask).sum() / mask.sum(), atol=1e-5, rtol=1e-5)


def test_positions_are_those_of_the_official_code():
    config = AudioMAEConfig(
        backbone_config=ASTConfig(
            hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, patch_size=8,
            frequency_stride=8, time_stride=8, max_length=64, num_mel_bins=32,
        ),
        decoder_hidden_size=16, decoder_num_attention_heads=2, decoder_num_hidden_layers=1,
    )  # fmt: skip
    model = type(build_model("audiomae"))(config)
    for positions, dim in (
        (model.backbone.embeddings.position_embeddings[:, 2:], 24),
        (model.decoder.position_embeddings, 16),
    ):
        # `get_2d_sincos_pos_embed_flexible`: frequency in the first half of the channels, time in the second.
        omega = 1 / 10000 ** (np.arange(dim // 4) / (dim / 4))
        time, mel = np.meshgrid(np.arange(8), np.arange(4), indexing="ij")
        angles = [axis.reshape(-1, 1) * omega for axis in (mel, time)]
        expected = np.concatenate([f(angle) for angle in angles for f in (np.sin, np.cos)], axis=1)
        ours = to_official(positions.detach(), 4, 8)[0]
        torch.testing.assert_close(ours, torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-5)
    assert not model.backbone.embeddings.position_embeddings[:, :2].any()
    assert not model.backbone.embeddings.position_embeddings.requires_grad
    assert not torch.equal(model.backbone.embeddings.cls_token, model.backbone.embeddings.distillation_token)


def test_a_quarter_more_or_less_of_gain_and_a_shift_in_a_circle():
    processor = build_processor("audiomae", gain_concentration=10, roll_share=0.5, do_normalize=False)
    sound = torch.zeros(processor.num_samples)
    sound[1000:1400] = torch.sin(torch.arange(400.0))
    views = processor.views(audio=[sound] * 300, generator=torch.Generator().manual_seed(0))["input_values"]
    loud = views.amax((1, 2))
    gains = (loud / 2).exp() / (loud / 2).exp().mean()
    assert 0.1 < gains.std() < 0.16  # Beta(10, 10) has a deviation of 0.109 around 0.5, on a mean of 1
    assert views.amax(2).argmax(1).unique().numel() > 10
    still = build_processor("audiomae", gain_concentration=0, do_normalize=False)
    first, second = still.views(audio=[sound] * 2, generator=torch.Generator().manual_seed(0))["input_values"]
    assert torch.equal(first, second)


def test_short_sounds_are_padded_with_silence_and_long_ones_cut():
    processor = build_processor("audiomae", gain_concentration=0, do_normalize=False)
    noise = torch.randn(3 * processor.num_samples, generator=torch.Generator().manual_seed(0))
    short, long = processor.views(audio=[noise[:2000], noise], generator=torch.Generator())["input_values"]
    assert short[-1].allclose(torch.tensor(1.192092955078125e-07).log()) and long.min() > -14


def test_statistics_are_estimated_on_the_training_sounds():
    processor = AudioMAEFeatureExtractor(max_length=32, num_mel_bins=32, patch_size=8, mean=None, std=None)
    sounds = [{"audio": 0.1 * torch.randn(n, generator=torch.Generator().manual_seed(n))} for n in (6000, 8000, 9000)]
    with pytest.raises(ValueError, match="call estimate"):
        processor.views(audio=[sounds[0]["audio"]], generator=torch.Generator())
    processor.settle(sounds)
    values = [processor._normalised(processor._features([sound["audio"]])) for sound in sounds]
    assert torch.cat(values).mean().abs() < 1e-4 and abs(torch.cat(values).std() - 0.5) < 1e-3
    mean = processor.mean
    processor.settle(sounds[:1])
    assert processor.mean == mean  # found once


def test_preprocessing_is_the_native_one():
    processor = build_processor("audiomae", mean=-3.0, std=2.0)
    native = ASTFeatureExtractor(max_length=32, num_mel_bins=32, mean=-3.0, std=2.0)
    sounds = [torch.randn(n, generator=torch.Generator().manual_seed(n)).numpy() for n in (3000, 9000)]
    ours, theirs = (p(sounds, sampling_rate=16000, return_tensors="pt")["input_values"] for p in (processor, native))
    assert ours.shape == (2, 32, 32) and torch.equal(ours, theirs)
    # What training sees without gain is the same, where a sound fills the spectrogram.
    still = build_processor("audiomae", mean=-3.0, std=2.0, gain_concentration=0)
    whole = torch.from_numpy(sounds[1])[: processor.num_samples]
    view = still.views(audio=[whole], generator=torch.Generator())["input_values"]
    expected = native((whole - whole.mean()).numpy(), sampling_rate=16000, return_tensors="pt")["input_values"]
    torch.testing.assert_close(view, expected, atol=1e-3, rtol=1e-3)


def test_plain_transformers_loads_the_encoder(tmp_path):
    model, encoder = build_model("audiomae").eval(), encoder_for(build_model("audiomae").config.backbone_config)
    x = encoder.example(0)
    native = loaded_by_transformers(model, tmp_path, "ASTModel")
    with torch.no_grad():
        assert torch.equal(native(x).pooler_output, model.encoder().eval()(x).pooler_output)


def test_unfit_values_are_refused(tmp_path):
    with pytest.raises(ValueError, match="do not overlap|whole patches"):
        AudioMAEConfig(backbone_config=ASTConfig())
    with pytest.raises(ValueError, match="does not divide 4 x 6 patches"):
        AudioMAEConfig(
            backbone_config=ASTConfig(patch_size=8, frequency_stride=8, time_stride=8, max_length=48, num_mel_bins=32)
        )
    with pytest.raises(ValueError, match="num_mel_bins must be a whole number in"):
        AudioMAEFeatureExtractor(num_mel_bins=0)
    build_processor("audiomae").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "ssl_audiomae"}')
    assert type(AutoFeatureExtractor.from_pretrained(tmp_path)) is AudioMAEFeatureExtractor
