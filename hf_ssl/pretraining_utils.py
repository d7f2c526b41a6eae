"""What a method says of itself to those who publish it."""

from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel


@dataclass(frozen=True)
class Published:
    """
    What a folder of a published repository holds.

    Args:
        model (`PreTrainedModel`): a native model of transformers, written as it is; or an [`SSLModel`], of which the
            native encoder is written whose `pooler_output` is the same embedding.
        processor: what makes the model's inputs, with a `save_pretrained`; of an image processor of ours, the native
            one is written that prepares images in the same way.
    """

    model: PreTrainedModel
    processor: Any


class PublishesEncoders:
    """
    The part of [`SSLPreTrainedModel`] that says what plain transformers will load.

    Attributes:
        published_folders (`tuple[str, ...]`): what `published` fills beside the root, such as ("vision", "text").
        embedding_folder (`str`): where of these the encoder is whose embedding is evaluated, and which the card is
            about; "" is the root.
    """

    published_folders: tuple[str, ...] = ()
    embedding_folder: str = ""

    def published(self, processor: Any) -> dict[str, Published]:
        """
        The encoders of a published repository, by their subfolder; "" is the root. By default the one encoder.

        Args:
            processor (`SSLProcessorMixin`): of this method.
        """
        return {"": Published(self.encoder(), processor)}
