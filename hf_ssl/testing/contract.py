"""The contract suite: which tests run for which methods and encoders."""

from collections.abc import Sequence
from typing import ClassVar

import pytest

from .description import DescriptionContract
from .saving import SavingContract
from .tiny import backbones_of
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
            cases = [(m, b) for m in self.methods for b in backbones_of(m) if chosen is None or b in chosen]
            metafunc.parametrize(("method", "backbone"), cases)
        elif "method" in metafunc.fixturenames:
            metafunc.parametrize("method", self.methods)
