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

    Attributes:
        tokenizer (`CLIPTokenizer`, *optional*): of the captions; `learn_vocabulary` makes one from those of a data
            set. `tokenizer.model_max_length` tokens are the length of every caption of a batch.
    """

    sample_keys = ("image", "text")

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

    def learn_vocabulary(self, captions: Iterable[str], vocab_size: int = 49408, max_length: int = 77) -> None:
        """Set `tokenizer` to one that is learnt from captions, see `train_tokenizer`. Defaults are CLIP's sizes."""
        self.tokenizer = train_tokenizer(captions, vocab_size, max_length)

    def text_config(self) -> dict[str, int]:
        """What the configuration of a text encoder has to say about the tokens."""
        tokenizer = self.require_tokenizer()
        return {
            "vocab_size": len(tokenizer),
            "max_position_embeddings": tokenizer.model_max_length,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }

    def encode_samples(self, key: str, values: Sequence) -> dict[str, torch.Tensor]:
        """Captions as `input_ids`, a LongTensor `(batch, tokenizer.model_max_length)`: cut, or filled up."""
        tokens = self.require_tokenizer()(list(values), padding="max_length", truncation=True, return_tensors="pt")
        return {"input_ids": tokens["input_ids"]}
