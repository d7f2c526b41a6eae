"""Parts that methods share, one idea a file."""
