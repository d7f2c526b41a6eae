"""What the tests of checks share."""

import shutil

import pytest


@pytest.fixture
def repository(exported, tmp_path):
    """A copy of what the module exports, to be damaged."""
    return shutil.copytree(exported, tmp_path / "repository")
