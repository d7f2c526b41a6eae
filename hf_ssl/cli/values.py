"""Values that came as text on the command line."""

import json
from typing import Any

from ..checks.bounded_json import parse_json


def parse_values(pairs: dict[str, str]) -> dict[str, Any]:
    """Values as JSON where they are JSON (numbers, lists, true), else as text; a `ValueError` out of all bounds."""
    values = {}
    for name, text in pairs.items():
        try:
            values[name] = parse_json(text)
        except json.JSONDecodeError:
            values[name] = text
        except ValueError as error:
            raise ValueError(f"{name}={text[:100]} {error}.") from None
    return values
