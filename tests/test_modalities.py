"""Rows of modalities: they name code that is there, and cost nothing before it is asked for."""

import subprocess
import sys

import pytest
import torch

from hf_ssl.modalities import MODALITIES, get_modality, modality_of_sample


@pytest.mark.parametrize("row", MODALITIES.values(), ids=list(MODALITIES))
def test_transformers_has_what_a_row_names(row):
    assert row.load("native_processor") is not None
    assert "from_pretrained" in dir(row.load("auto_processor"))
    heads = row.load_heads()
    assert set(heads) == set(row.auto_heads)
    assert all("from_pretrained" in dir(head) for head in heads.values())
    assert modality_of_sample(row.sample_key) is row


def test_an_image_is_decoded_and_has_a_baseline():
    image = get_modality("image")
    assert image.load("decode")(torch.zeros(3, 4, 4, dtype=torch.uint8)).shape == (3, 4, 4)
    assert image.load("raw_baseline")(torch.zeros(2, 3, 4, 4)).shape == (2, 48)
    assert get_modality("text").load("raw_baseline") is None


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'audio'"):
        get_modality("audios")
    with pytest.raises(ValueError, match="Known: image, video, audio, text"):
        modality_of_sample("pictures")
    with pytest.raises(ValueError, match="Did you mean 'decode'"):
        get_modality("image").load("decoder")


def test_a_row_imports_nothing():
    code = "import hf_ssl.modalities, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
