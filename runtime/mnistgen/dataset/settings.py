"""The JSON files of a dataset: their names, and how they are read, written and compared."""

import json
from typing import Any

FACTS = "dataset.json"
"""Facts about a complete dataset; written last."""
SHARDS = ".shards"
"""Folder of the settings and records of a dataset in shards."""


def difference(former: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return the differences in words, such as "seed is 1, not 2"."""
    different = [key for key in wanted if former.get(key) != wanted[key]]
    return "; ".join(f"{key} is {former.get(key, 'unknown')}, not {wanted[key]}" for key in different)


def parse_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object; empty if the content is something else."""
    try:
        read = json.loads(content)
    except (RecursionError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def json_bytes(content: dict[str, Any]) -> bytes:
    """Return a JSON object as lines of text."""
    return (json.dumps(content, indent=2) + "\n").encode()
