"""Transformer layers that attend within local windows of a grid: those of Audio-MAE's decoder."""

import torch
import torch.nn.functional as F
from torch import nn

_SHARPEST = 0.01  # temperature
_OTHER_REGION = -100.0  # logit between tokens that only the cyclic shift has made neighbours


class WindowAttention(nn.Module):
    """
    Cosine attention with a learnt temperature for each head, and a bias that a small network reads from how far apart
    two tokens are, on a logarithmic scale (Swin v2, arXiv:2111.09883, section 3.3, as in the code of Audio-MAE; its
    dropout inside the small network is left out).

    Args:
        hidden_size, num_heads (`int`)
        window (`tuple[int, int]`): rows and columns.
        bias_hidden_size (`int`, *optional*, defaults to 384): width of the small network.
    """

    def __init__(self, hidden_size: int, num_heads: int, window: tuple[int, int], bias_hidden_size: int = 384):
        super().__init__()
        self.num_heads, self.window = num_heads, window
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size)
        self.project = nn.Linear(hidden_size, hidden_size)
        self.temperature = nn.Parameter(torch.ones(num_heads))
        self.bias = nn.Sequential(nn.Linear(2, bias_hidden_size), nn.ReLU(), nn.Linear(bias_hidden_size, num_heads))

    def position_bias(self) -> torch.Tensor:
        """Logits of shape (heads, tokens, tokens) for every pair of tokens of a window."""
        device = self.temperature.device
        axes = [torch.arange(side, device=device) for side in self.window]
        places = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)  # [tokens, 2]
        apart = (places[:, None] - places).to(self.bias[0].weight.dtype)
        return self.bias(apart.sign() * apart.abs().log1p()).permute(2, 0, 1)

    def forward(self, windows: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """
        Args:
            windows (`torch.Tensor` of shape `(batch, windows, tokens, hidden_size)`)
            mask (`torch.Tensor` of shape `(windows, tokens, tokens)`, *optional*): added to the logits.
        """
        q, k, v = self.qkv(windows).unflatten(-1, (3, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind(0)
        # [batch, windows, heads, tokens, size]
        q = F.normalize(q, dim=-1) / self.temperature.clamp_min(_SHARPEST)[:, None, None]
        bias = self.position_bias()
        bias = bias if mask is None else bias + mask[:, None]
        attended = F.scaled_dot_product_attention(q, F.normalize(k, dim=-1), v, attn_mask=bias.to(q.dtype), scale=1.0)
        return self.project(attended.transpose(2, 3).flatten(3))


class WindowLayer(nn.Module):
    """
    One layer: attention within windows, then an MLP, each normalised *after* it and added.

    Args:
        grid (`tuple[int, int]`): rows and columns of tokens; multiples of `window`.
        window (`tuple[int, int]`): at most the grid.
        shift (`tuple[int, int]`): tokens by which the windows are moved, cyclically; the tokens that come together at
            the edge do not see each other.
        hidden_size, num_heads, intermediate_size (`int`)
        eps (`float`): of the norms.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        window: tuple[int, int],
        shift: tuple[int, int],
        hidden_size: int,
        num_heads: int,
        intermediate_size: int,
        eps: float,
    ):
        super().__init__()
        self.grid, self.window = grid, window
        # A window as wide as the grid has nowhere to move.
        self.shift = tuple(0 if g <= w else s for g, w, s in zip(grid, window, shift, strict=True))
        self.attention = WindowAttention(hidden_size, num_heads, window)
        self.attention_norm = nn.LayerNorm(hidden_size, eps=eps)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_size, intermediate_size), nn.GELU(), nn.Linear(intermediate_size, hidden_size)
        )
        self.mlp_norm = nn.LayerNorm(hidden_size, eps=eps)

    def forward(self, tokens: torch.Tensor, attention_mask: None = None) -> torch.Tensor:
        """Tokens (batch, rows * columns, hidden_size), row by row, to tokens of the same shape."""
        tokens = tokens + self.attention_norm(self._attend(tokens))
        return tokens + self.mlp_norm(self.mlp(tokens))

    def _attend(self, tokens: torch.Tensor) -> torch.Tensor:
        image = tokens.unflatten(1, self.grid)
        image = image.roll([-s for s in self.shift], (1, 2)) if any(self.shift) else image
        windows = self.attention(self._windows(image), self._mask(tokens.device))
        rows, columns = (g // w for g, w in zip(self.grid, self.window, strict=True))
        image = windows.unflatten(2, self.window).unflatten(1, (rows, columns)).transpose(2, 3)
        image = image.flatten(3, 4).flatten(1, 2)
        image = image.roll(self.shift, (1, 2)) if any(self.shift) else image
        return image.flatten(1, 2)

    def _windows(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, rows, columns, size) to (batch, windows, tokens of a window, size)."""
        (rows, columns), (height, width) = self.grid, self.window
        cells = image.unflatten(2, (columns // width, width)).unflatten(1, (rows // height, height))
        return cells.transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def _mask(self, device: torch.device) -> torch.Tensor | None:
        """Keeps tokens apart that the shift has brought together from opposite edges."""
        if not any(self.shift):
            return None
        region = torch.zeros(self.grid, device=device)
        for axis, (side, shift) in enumerate(zip(self.grid, self.shift, strict=True)):
            wrapped = torch.arange(side, device=device) >= side - shift
            region = region * 2 + wrapped.view(-1, *[1] * (1 - axis))
        region = self._windows(region[None, :, :, None])[0, :, :, 0]  # [windows, tokens]
        return torch.where(region[:, :, None] == region[:, None], 0.0, _OTHER_REGION)
