"""Errors of the system and of libraries in one sentence each."""

import errno

import numpy as np
import pytest
from PIL import Image

from hf_ssl.cli.mistakes import mistake
from hf_ssl.cli.run_folder import held
from hf_ssl.data import load_data
from hf_ssl.data.decoded import DecodedImages


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EMFILE, "Too many open files", "a.png"), "raise the limit with ulimit -n"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room"),
        (OSError(errno.EACCES, "Permission denied", "a.png"), "a.png: Permission denied"),
        (RuntimeError("Too many open files. Communication with the workers is"), "raise the limit with ulimit -n"),
        (RuntimeError("could not create a primitive"), "not enough memory"),
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed."), "--dataloader_num_workers"),
        (RuntimeError("Connection closed by peer [127.0.0.1]:1"), "Another process of this run has ended"),
    ],
)
def test_what_can_be_mended(error, expected):
    assert expected in mistake(error)


def test_a_bug_is_none():
    assert mistake(RuntimeError("something else")) is None


def test_a_folder_that_weights_cannot_be_written_to(tmp_path):
    with pytest.raises(ValueError, match="is no UTF-8"), held(tmp_path / "run\udcff"):
        pass


def test_too_many_open_files_are_no_fault_of_an_image(tmp_path, monkeypatch):
    for i in range(4):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
    images = load_data(tmp_path).train

    def refuse(*args):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(DecodedImages, "_decoded", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        images[0]
    assert images.count_unreadable() == 0
