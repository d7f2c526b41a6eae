"""Models that are no encoder themselves, but have one inside."""

from .base import Encoder


class HasInside(Encoder):
    """The adapter of a model around an encoder, whose own adapter `inside` answers what concerns the inputs."""

    inside: Encoder

    @property
    def input_name(self) -> str:
        return self.inside.input_name

    @property
    def num_channels(self) -> int:
        return self.inside.num_channels

    @property
    def image_size(self) -> tuple[int, int] | None:
        return self.inside.image_size
