"""The tokenizer that is learnt from captions: its ends, its bytes, and its way to disk and back."""

import pytest
from transformers import AutoTokenizer

from hf_ssl.tokenization_utils import SMALLEST_VOCABULARY, train_tokenizer

CAPTIONS = ["A red circle", "a blue square on grass", "two dogs at the beach"] * 20


def test_words_that_are_frequent_become_tokens_and_case_plays_no_role():
    tokenizer = train_tokenizer(CAPTIONS, 600, 16)
    assert len(tokenizer) <= 600 and tokenizer.model_max_length == 16
    assert tokenizer.tokenize("a red beach") == ["a</w>", "red</w>", "beach</w>"]
    assert tokenizer("A Red BEACH")["input_ids"] == tokenizer("a red beach")["input_ids"]


def test_start_and_end_are_the_first_tokens_and_nothing_else_is_the_end():
    tokenizer = train_tokenizer(CAPTIONS, 600, 64)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 1, 1)
    for text in ("a dog", "Привет мир", "日本語の猫", "naïve café ½ €", "🐶 on the beach", "tab\tnew\nline \x01", ""):
        tokens = tokenizer(text)["input_ids"]
        assert tokens[0] == 0 and tokens[-1] == 1 and 1 not in tokens[:-1], text


def test_longer_texts_are_cut_before_their_end():
    tokenizer = train_tokenizer(CAPTIONS, 600, 8)
    tokens = tokenizer(["x" * 100, "a"], padding="max_length", truncation=True)["input_ids"]
    assert [len(each) for each in tokens] == [8, 8]
    assert tokens[0][-1] == 1 and 1 not in tokens[0][:-1] and tokens[1][2:] == [1] * 6


def test_the_same_captions_give_the_same_tokens_and_they_come_back_from_disk(tmp_path):
    tokenizer, again = (train_tokenizer(iter(CAPTIONS), 600, 16) for _ in range(2))
    assert tokenizer.get_vocab() == again.get_vocab()
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab() and loaded.model_max_length == 16
    assert loaded("Привет, a dog!")["input_ids"] == tokenizer("Привет, a dog!")["input_ids"]


def test_no_room_is_refused():
    with pytest.raises(ValueError, match=f"vocab_size must be at least {SMALLEST_VOCABULARY}"):
        train_tokenizer(CAPTIONS, 100, 16)
    with pytest.raises(ValueError, match="max_length must be at least 3"):
        train_tokenizer(CAPTIONS, 600, 2)
    assert len(train_tokenizer([], SMALLEST_VOCABULARY, 16)) == SMALLEST_VOCABULARY
