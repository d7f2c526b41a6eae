"""What goes wrong outside of hf_ssl, on purpose and counted: the numbers of `docs/reliability.md`."""
