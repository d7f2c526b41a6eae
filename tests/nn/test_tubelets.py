"""What VideoMAE predicts, against its official formula, and layers that attend within windows."""

import torch
import torch.nn.functional as F
from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

from hf_ssl.nn.positions import sinusoid_positions
from hf_ssl.nn.tubelets import cut_tubelets, join_tubelets, normalise_tubelets
from hf_ssl.nn.window_attention import WindowAttention, WindowLayer


def official_target(clips: torch.Tensor, t: int, p: int) -> torch.Tensor:
    """`engine_for_pretraining.py`, one tubelet and channel at a time: (batch, tubelets, pixels * channels)."""
    batch, frames, channels, height, width = clips.shape
    rows = []
    for f in range(0, frames, t):
        for y in range(0, height, p):
            for x in range(0, width, p):
                block = clips[:, f : f + t, :, y : y + p, x : x + p].transpose(1, 2).reshape(batch, channels, -1)
                centred = block - block.mean(2, keepdim=True)
                rows.append((centred / (block.std(2, unbiased=True, keepdim=True) + 1e-6)).transpose(1, 2).flatten(1))
    return torch.stack(rows, dim=1)


def test_targets_are_those_of_the_official_code():
    clips = torch.rand(2, 4, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    clips[:, :2, 1, :8, :8] = 0.5  # without any variance
    tubelets = cut_tubelets(clips, 2, 8)
    target, mean, scale = normalise_tubelets(tubelets)
    torch.testing.assert_close(target.flatten(2), official_target(clips, 2, 8), atol=1e-5, rtol=1e-5)
    assert torch.equal(join_tubelets(tubelets, 2, 8, (4, 16, 24)), clips)
    torch.testing.assert_close(join_tubelets(target * scale + mean, 2, 8, (4, 16, 24)), clips)


def test_positions_are_those_of_the_native_model():
    torch.testing.assert_close(sinusoid_positions(70, 24), get_sinusoid_encoding_table(70, 24))


def test_window_layer_by_hand():
    """Of a 4 x 8 grid with windows 2 x 4 and a shift of 2 along the columns, token by token."""
    torch.manual_seed(0)
    layer = WindowLayer((4, 8), (2, 4), (0, 2), 12, 3, 24, 1e-6).eval()
    with torch.no_grad():
        layer.attention.temperature.uniform_(0.2, 1)
        tokens = torch.randn(2, 32, 12)
        attended = layer._attend(tokens)
        attention: WindowAttention = layer.attention
        q, k, v = attention.qkv(tokens).unflatten(2, (3, 3, 4)).unbind(2)  # [B, N, heads, size]
        for i in range(32):
            row, column = divmod(i, 8)
            # The window of a token after the shift; the two columns that wrapped around keep to themselves.
            window, wrapped = (row // 2, (column - 2) % 8 // 4), column < 2
            others = [j for j in range(32) if (j // 8 // 2, (j % 8 - 2) % 8 // 4) == window and (j % 8 < 2) == wrapped]
            expected = []
            for head in range(3):
                cosine = F.cosine_similarity(q[:, i : i + 1, head], k[:, others, head], dim=2)
                place = lambda n: torch.tensor([n // 8 % 2, (n % 8 - 2) % 8 % 4]).float()  # noqa: E731
                apart = torch.stack([place(i) - place(j) for j in others])
                bias = attention.bias(apart.sign() * apart.abs().log1p())[:, head]
                weights = (cosine / attention.temperature[head] + bias).softmax(1)
                expected.append((weights[..., None] * v[:, others, head]).sum(1))
            torch.testing.assert_close(
                attended[:, i], attention.project(torch.cat(expected, dim=1)), atol=1e-5, rtol=1e-4
            )


def test_a_window_as_wide_as_the_grid_does_not_move():
    assert WindowLayer((4, 8), (4, 4), (2, 2), 12, 3, 24, 1e-6).shift == (0, 2)
