"""What an architecture of transformers is: everything that the package asks of a native encoder."""

from .base import Encoder
from .families import ENCODERS, encoder_for
from .images import ImageEncoder
from .outputs import Contract, Tokens
from .plain_transformer import PlainTransformerEncoder
from .probe import probe

__all__ = [
    "ENCODERS",
    "Contract",
    "Encoder",
    "ImageEncoder",
    "PlainTransformerEncoder",
    "Tokens",
    "encoder_for",
    "probe",
]
