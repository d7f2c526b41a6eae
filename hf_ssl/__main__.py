"""`python -m hf_ssl` is the command `hf-ssl`."""

from .cli import main

main()
