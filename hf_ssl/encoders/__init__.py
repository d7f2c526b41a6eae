"""What an architecture of transformers is: everything that the package asks of a native encoder."""

from .base import Contract, Encoder, Tokens
from .families import ENCODERS, encoder_for
from .plain_transformer import PlainTransformerEncoder
from .probe import probe

__all__ = ["ENCODERS", "Contract", "Encoder", "PlainTransformerEncoder", "Tokens", "encoder_for", "probe"]
