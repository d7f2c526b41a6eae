"""What an encoder is tried with: inputs of a size, and the sizes that are worth trying."""

from typing import Self

import torch


class Examples:
    """The part of [`Encoder`] that `probe` and the processors ask."""

    def fit(self, sample: torch.Tensor) -> torch.Tensor:
        """A sample as long as the native processor has to be given it for this encoder: images stay as they are."""
        return sample

    def shallow(self) -> Self:
        """The same architecture, as small as it can be without another behaviour."""
        return self

    def example(self, size: int, batch: int = 2) -> torch.Tensor:
        """Random inputs of a view of `size`."""
        raise NotImplementedError

    def sizes_near(self, size: int) -> list[int]:
        """Sizes of views that are likely to work, best first, where `size` does not."""
        return []
