"""Tokenizers that are learnt from the captions of a data set, and saved beside the image processor."""

import json
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, WhitespaceSplit
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

# The start and the end of a text come first, in this order: a CLIP text encoder whose end is token 2 would, for the
# sake of old checkpoints, pool at the highest token of the text instead of its end.
BOS_TOKEN_ID, EOS_TOKEN_ID = 0, 1
_LETTERS = sorted(ByteLevel.alphabet())  # what a byte-level tokenizer writes for each of the 256 bytes
SMALLEST_VOCABULARY = 2 + 2 * len(_LETTERS)
_SUFFIX = "</w>"  # of tokens that end a word
# While the tokens are learnt, the last letter of a word is one character of its own, out of a range that Unicode keeps
# for private use.
_LAST = {letter: chr(0xE000 + i) for i, letter in enumerate(_LETTERS)}
_WRITTEN = str.maketrans({last: letter + _SUFFIX for letter, last in _LAST.items()})


def train_tokenizer(captions: Iterable[str], vocab_size: int, max_length: int) -> CLIPTokenizer:
    """
    A tokenizer of CLIP's kind (arXiv:2103.00020, section 2.4: lower-case byte-pair encoding) learnt from captions. The
    same captions give the same tokens, in every process.

    As in the published vocabulary, every byte is a token in two forms, inside of a word and at its end. So no text in
    any writing has an unknown token, which is the end of the text in CLIP, and would cut the text off.

    Args:
        captions (iterable of `str`): read once.
        vocab_size (`int`): most tokens, at least 514; few captions give fewer.
        max_length (`int`): tokens of a text, its start and end included; longer ones are cut before their end.

    Returns:
        `CLIPTokenizer`: start 0, end 1, which also fills texts up.

    Raises:
        ValueError: for a vocabulary or a text that is too short to hold anything.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocab_size must be at least {SMALLEST_VOCABULARY}, every byte in two forms, got {vocab_size}."
        )
    if max_length < 3:
        raise ValueError(f"max_length must be at least 3, a token between start and end, got {max_length}.")
    start = CLIPTokenizer()
    vocab = {start.bos_token: BOS_TOKEN_ID, start.eos_token: EOS_TOKEN_ID}
    learnt = Tokenizer(BPE())
    learnt.pre_tokenizer = WhitespaceSplit()
    # With the whole alphabet from the start, no order in which letters are met decides between pairs of equal counts.
    alphabet = [*_LETTERS, *_LAST.values()]
    trainer = BpeTrainer(vocab_size=vocab_size - len(vocab), initial_alphabet=alphabet, show_progress=False)
    learnt.train_from_iterator(_words(captions, start), trainer)
    model = json.loads(learnt.to_str())["model"]
    for token in sorted(model["vocab"], key=model["vocab"].get):
        vocab[token.translate(_WRITTEN)] = len(vocab)
    merges = [tuple(part.translate(_WRITTEN) for part in pair) for pair in model["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=max_length)


def _words(captions: Iterable[str], tokenizer: CLIPTokenizer) -> Iterator[str]:
    """The words of each caption as CLIP divides it, in byte letters, with a space between them."""
    backend = tokenizer.backend_tokenizer
    for caption in captions:
        words = backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(caption))
        yield " ".join(word[:-1] + _LAST[word[-1]] for word, _ in words)
