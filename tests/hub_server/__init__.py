"""The Hub's protocol on loopback, in Python's standard library: for tests against the real client."""

from .messages import Answer
from .server import HubServer
from .store import Refusal

__all__ = ["Answer", "HubServer", "Refusal"]
