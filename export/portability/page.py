"""Write the table of docs/portability.md."""

import re
from typing import Any

from export.portability.runtimes import RUNTIMES

_TABLE = re.compile(r"(<!-- table -->\n).*?(<!-- end -->)", re.S)


def write(text: str, found: dict[str, Any]) -> str:
    """Return the page with the table of the results.

    Args:
        text: The page so far; its table stands between two comments.
        found: Results by runtime.
    """
    models = list(dict.fromkeys(model for entry in found.values() for model in entry["models"]))
    faults: list[str] = []
    lines = [f"| runtime | version | {' | '.join(models)} |", f"| --- | --- |{' --- |' * len(models)}"]
    for name in [name for name in RUNTIMES if name in found]:
        cells = [_cell(found[name]["models"].get(model), faults) for model in models]
        title = RUNTIMES[name].title + (f" ({RUNTIMES[name].note})" if RUNTIMES[name].note else "")
        lines.append(f"| {title} | {found[name]['version']} | {' | '.join(cells)} |")
    notes = [f"{number}. {fault}" for number, fault in enumerate(faults, 1)]
    table = "\n".join([*lines, "", *notes]).strip()
    return _TABLE.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def _quoted(fault: str) -> str:
    """Return what a runtime says, without the type of its exception, as inline code."""
    text = re.sub(r"^[\w.]*(Error|Exception): ", "", fault).replace("`", "'")
    return f"`{text}`"


def _cell(result: dict[str, Any] | None, faults: list[str]) -> str:
    """Return a cell: the largest difference, or the number of a note with the cause."""
    if result is None:
        return ""
    if result["fault"]:
        fault = _quoted(result["fault"])
        if fault not in faults:
            faults.append(fault)
        return f"no ({faults.index(fault) + 1})"
    difference = result["difference"]
    return f"{difference:.0f}" if difference == int(difference) else f"{difference:.1g}"
