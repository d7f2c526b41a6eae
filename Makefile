.PHONY: help style quality test test-slow
help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/'
style:  ## format and mend
	ruff check --fix . && ruff format .
quality:  ## what CI checks
	ruff check . && ruff format --check . && .ci/types
test:  ## minutes on two cores
	pytest
test-slow:  ## the long ones: every method learns, three seeds
	pytest -m slow -n 0
