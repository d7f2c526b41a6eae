"""Base of the processors of images with captions: views of the one, tokens of the other."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPTokenizer

from .image_processing_utils import SSLImageProcessor
from .tokenization_utils import train_tokenizer


class ImageTextProcessor(SSLImageProcessor):
    """
    An image processor with a tokenizer beside it, which is saved into the same folder and loaded from there. The plain
    call is that of the image processor.

    Args:
        tokenizer (`CLIPTokenizer`, *optional*): of the captions; `learn_vocabulary` makes one from those of a data
            set.
        vocab_size (`int`, *optional*): most tokens that it learns.
        context_length (`int`, *optional*): tokens of every caption of a batch, its start and end included. Longer
            captions are cut before their end, shorter ones are filled up.
    """

    sample_keys = ("image", "text")
    vocab_size: int = 49408
    context_length: int = 77

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
                f"{type(self).__name__} has no tokenizer: call learn_vocabulary(captions), or give one as tokenizer."
            )
        return self.tokenizer

    def learn_vocabulary(self, captions: Iterable[str]) -> None:
        """Set `tokenizer` to one that is learnt from captions, see `train_tokenizer`."""
        self.tokenizer = train_tokenizer(captions, self.vocab_size, self.context_length)

    def text_config(self) -> dict[str, int]:
        """What the configuration of a text encoder has to say about the tokens."""
        tokenizer = self.require_tokenizer()
        return {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": self.context_length,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }

    def encode_samples(self, key: str, values: Sequence) -> dict[str, torch.Tensor]:
        """Captions as `input_ids`, a LongTensor `(batch, context_length)`."""
        length = {"padding": "max_length", "truncation": True, "max_length": self.context_length}
        return {"input_ids": self.require_tokenizer()(list(values), **length, return_tensors="pt")["input_ids"]}
