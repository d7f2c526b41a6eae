"""The only place of the version, importable without torch."""

__version__ = "0.1.0"
