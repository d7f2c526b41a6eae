"""What is no regular file is not waited for, by whatever opens files that somebody names."""

import os

import pytest
import torch

from hf_ssl.checks.checkpoints import read_checkpoint
from hf_ssl.checks.regular_files import UnreadableError, open_regular, read_text_if_any

KINDS = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda path: os.symlink("/dev/zero", path),
}


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(kind, tmp_path):
    path = tmp_path / "file.pth"
    KINDS[kind](path)
    with pytest.raises(UnreadableError, match=kind):
        open_regular(path)
    with pytest.raises(ValueError, match=rf"file.pth is no file: it is a .*{kind}"):
        read_text_if_any(path)
    with pytest.raises(ValueError, match=rf"file.pth is no checkpoint file: it is a .*{kind}"):
        read_checkpoint(path)


def test_text_is_read_with_its_line_ends(tmp_path):
    path = tmp_path / "README.md"
    assert read_text_if_any(path) is None
    path.write_bytes("a\r\nä\n".encode())
    assert read_text_if_any(path) == "a\r\nä\n"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        read_text_if_any(path)
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ValueError, match="larger than 1 MB"):
        read_text_if_any(path, megabytes=1)
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(ValueError, match="a link to nothing"):
        read_text_if_any(path)


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype")
def test_nested_tensors_are_no_checkpoint(tmp_path):
    path = tmp_path / "nested.pth"
    torch.save({"x": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, path)
    with pytest.raises(ValueError, match="nested"):
        read_checkpoint(path)
