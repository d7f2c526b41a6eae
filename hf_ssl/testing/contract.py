"""The contract suite: which tests run for which methods and encoders."""

from collections.abc import Sequence
from typing import ClassVar

import pytest

from .description import DescriptionContract
from .saving import SavingContract
from .tiny import IMAGE_BACKBONES, backbones_of
from .training import TrainingContract


class MethodContract(DescriptionContract, SavingContract, TrainingContract):
    """
    Subclass it in a test file, under a name that begins with `Test`.

    Attributes:
        methods (`Sequence[str]`): names of the methods to test. Each needs a recipe "tiny": fields of its
            configuration and of its image processor for images of 32 pixels and an encoder of two layers.
    """

    methods: ClassVar[Sequence[str]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "backbone" in metafunc.fixturenames:
            chosen = vars(metafunc.function).get("backbones")
            left_out = set() if chosen is None else IMAGE_BACKBONES.keys() - set(chosen)
            cases = [(m, b) for m in self.methods for b in backbones_of(m) if b not in left_out]
            metafunc.parametrize(("method", "backbone"), cases)
        elif "method" in metafunc.fixturenames:
            metafunc.parametrize("method", self.methods)
