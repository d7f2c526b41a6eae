"""Base of the processors of images with captions: views of the one, tokens of the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer

from .image_processing_utils import SSLImageProcessor
from .processing_utils import SSLProcessorMixin
from .tokenization_utils import train_tokenizer


class ImageTextProcessor(SSLImageProcessor):
    """
    An image processor with a tokenizer beside it, which is saved into the same folder and loaded from there. The plain
    call is that of the image processor.

    Args:
        tokenizer (`CLIPTokenizer`, *optional*): of the captions; without one, `settle` makes it from those of a data
            set.
        vocab_size (`int`, *optional*): most tokens that `settle` makes, at least 514.
        context_length (`int`, *optional*): tokens of every caption of a batch, its start and end included. Longer
            captions are cut before their end, shorter ones are filled up.
    """

    sample_keys = ("image", "text")
    vocab_size: int
    context_length: int

    def __init__(self, tokenizer: CLIPTokenizer | None = None, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        processor = super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        places = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")
        where = {name: value for name, value in kwargs.items() if name in places}
        # Its class is named here, so that nothing in the repository chooses what is run.
        processor.tokenizer = CLIPTokenizer.from_pretrained(pretrained_model_name_or_path, **where)
        return processor

    def save_pretrained(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs):
        saved = super().save_pretrained(save_directory, push_to_hub, **kwargs)
        self.require_tokenizer().save_pretrained(save_directory)
        return saved

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in super().to_dict().items() if name != "tokenizer"}

    def require_tokenizer(self) -> CLIPTokenizer:
        """The tokenizer, or a `ValueError` that says how to get one."""
        if self.tokenizer is None:
            raise ValueError(
                f"{type(self).__name__} has no tokenizer: call settle(dataset) with captions, or give one."
            )
        return self.tokenizer

    def settle(self, dataset: Any) -> None:
        """Set `tokenizer` to one that is learnt from the captions, unless there is one; see `train_tokenizer`."""
        super().settle(dataset)
        if self.tokenizer is None:
            if dataset.captions is None:
                raise ValueError(f"{type(self).__name__} learns its tokens from captions: give data that have some.")
            self.tokenizer = train_tokenizer(dataset.captions, self.vocab_size, self.context_length)

    def take_over(self, saved: SSLProcessorMixin) -> None:
        self.tokenizer = saved.tokenizer

    def model_fields(self) -> dict[str, Any]:
        """What the text encoder has to know of the tokens, under `text_config`."""
        tokenizer = self.require_tokenizer()
        fields = {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": self.context_length,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        return {"text_config": fields}

    def encode_samples(self, batch: dict[str, Any]) -> dict[str, Any]:
        """With tokens in the place of the captions."""
        return batch | {"text": self.tokenise(batch["text"])}

    def tokenise(self, captions: torch.Tensor | Sequence[str]) -> torch.LongTensor:
        """Tokens of captions, of shape `(batch, context_length)`; what is tokens already comes back as it is."""
        if isinstance(captions, torch.Tensor):
            return captions
        length = {"padding": "max_length", "truncation": True, "max_length": self.context_length}
        return self.require_tokenizer()(list(captions), **length, return_tensors="pt")["input_ids"]

    def example(self, size: int, batch: int = 2, seed: int = 0) -> dict[str, Any]:
        """As the base class, with a caption of its own for each image."""
        captions = [f"a picture of number {1000 * seed + i}" for i in range(batch)]
        return super().example(size, batch, seed) | {"text": captions}
