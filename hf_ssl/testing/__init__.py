"""
What every method promises, as tests: for the methods of hf_ssl and for those of other packages alike. Needs pytest.

A test file of three lines runs them for a method:

    from hf_ssl.testing import MethodContract

    class TestNNCLR(MethodContract):
        methods = ("nnclr",)
"""

import pytest

for _name in ("description", "saving", "training"):  # so that a failed assertion shows its values
    pytest.register_assert_rewrite(f"{__name__}.{_name}")

from .contract import MethodContract  # noqa: E402
from .tiny import BACKBONES, IMAGES, Examples, backbones_of, build_model, build_processor, build_views  # noqa: E402

__all__ = [
    "BACKBONES",
    "IMAGES",
    "Examples",
    "MethodContract",
    "backbones_of",
    "build_model",
    "build_processor",
    "build_views",
]
