"""What encoders of images have in common: channels, sizes, and positions that have to fit them."""

from typing import Any, ClassVar

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from .base import Encoder

_LARGEST_USUAL = 224  # pixels


class ImageEncoder(Encoder):
    """An encoder of `pixel_values` (batch, channels, height, width)."""

    takes_interpolation: ClassVar[bool] = False  # whether the native `forward` has `interpolate_pos_encoding`
    fixed_size: ClassVar[bool] = False  # whether plain transformers takes images of the configuration's size only
    pads: ClassVar[bool] = False  # whether images may be of any size, however many cells they make
    position_name: str | None = None  # of the parameter that holds learnt absolute positions
    has_size_of_positions: ClassVar[bool] = False  # whether images of another size need an option, see `resized`

    @property
    def num_channels(self) -> int:
        return self.config.num_channels

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width that the configuration names."""
        return pair(self.config.image_size)

    @property
    def patch_size(self) -> int:
        """Side in pixels of the patches that enter the first layer; 1 where there are none."""
        return pair(self.config.patch_size)[0]

    @property
    def stride(self) -> int:
        """Pixels from one cell of the last feature map to the next."""
        return self.patch_size

    def grid(self, size: int | tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the patches, or cells, that `tokens` gives for images of `size` (height, width)."""
        height, width = pair(size)
        return height // self.stride, width // self.stride

    def mask_grid(self, size: int | tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the patches that `tokens(mask=...)` masks."""
        height, width = pair(size)
        return height // self.patch_size, width // self.patch_size

    def require_inputs(self, inputs: torch.Tensor) -> None:
        if inputs.shape[1] != self.num_channels:
            raise ValueError(
                f"The encoder takes images of {self.num_channels} channels (backbone_config.num_channels), got "
                f"pixel_values of shape {tuple(inputs.shape)}: set do_convert_rgb on the image processor or "
                "num_channels."
            )
        if min(inputs.shape[-2:]) < self.patch_size:
            raise ValueError(
                f"An image of {inputs.shape[-2]}x{inputs.shape[-1]} pixels is smaller than one patch "
                f"({self.patch_size}x{self.patch_size}): use larger images or a smaller backbone_config.patch_size."
            )

    def is_other_size(self, inputs: torch.Tensor) -> bool:
        return tuple(inputs.shape[-2:]) != self.image_size

    def arguments(self, inputs: torch.Tensor) -> dict[str, Any]:
        # Crops of another size than the encoder's own get interpolated positions.
        return {"interpolate_pos_encoding": True} if self.takes_interpolation and self.is_other_size(inputs) else {}

    def usual_size(self, short_side: int) -> int:
        """
        The size in pixels that the encoder was made for, but no more than 224, and no more than the images have.

        Args:
            short_side (`int`): of the images.
        """
        size = self.image_size[0] if self.image_size else _LARGEST_USUAL
        if self.fixed_size:
            return size
        side = min(size, _LARGEST_USUAL, max(short_side, 4 * self.patch_size))
        step = 1 if self.pads else self.stride
        return max(side - side % step, step)

    def config_for(self, size: int) -> PreTrainedConfig:
        """The configuration of what `resized` gives."""
        if not self.has_size_of_positions:
            return self.config
        return type(self.config).from_dict(self.config.to_dict() | {"image_size": size})

    def resized(self, network: PreTrainedModel, size: int) -> PreTrainedModel | None:
        """
        The same network for images of another size, its positions interpolated once and for all, so that `AutoModel`
        takes images of this size without an option. None where it is that size, or has no such positions.
        """
        if not self.has_size_of_positions or self.image_size == (size, size):
            return None
        state = network.state_dict()
        table = state[self.position_name]
        others = table.shape[-2] - self.grid(self.image_size)[0] * self.grid(self.image_size)[1]
        wanted = torch.empty(1, (size // self.patch_size) ** 2 + others, table.shape[-1])
        with torch.no_grad():
            positions = network.embeddings.interpolate_pos_encoding(wanted, size, size)
        state[self.position_name] = positions.view(*table.shape[:-2], *positions.shape[-2:])
        other = type(self)(self.config_for(size))
        resized = other.build(mask_token=self.mask_token_name in state)
        resized.load_state_dict(state)
        return resized

    def example(self, size: int, batch: int = 2) -> torch.Tensor:
        generator = torch.Generator().manual_seed(size)
        return torch.randn(batch, self.num_channels, size, size, generator=generator)

    def sizes_near(self, size: int) -> list[int]:
        own = [self.image_size[0]] if self.image_size else []
        below = size // self.stride * self.stride
        candidates = [below, below + self.stride, below + 2 * self.stride, *own]
        return [side for side in dict.fromkeys(candidates) if side > 0 and side != size]


def pair(size: Any) -> tuple[int, int] | None:
    """A size as height and width, where a configuration may have one number for both, or a list."""
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])
