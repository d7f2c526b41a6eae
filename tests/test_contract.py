"""The contract suite for every method of hf_ssl: see `hf_ssl/testing`."""

from hf_ssl.registry import METHODS
from hf_ssl.testing import MethodContract


class TestMethods(MethodContract):
    methods = tuple(METHODS.built_in)
