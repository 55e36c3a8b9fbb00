"""Results of the steps, and the files that hold them: results.json and results.md."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OK, SKIPPED, FAILED, TIMEOUT, INTERRUPTED = "ok", "skipped", "failed", "timeout", "interrupted"
"""How a step ended. One that ended early keeps the rows that it had measured."""

Row = dict[str, Any]
"""One measurement: JSON values by name."""


@dataclass
class Result:
    """The result of one step."""

    step: str
    status: str
    reason: str = ""
    """Why it was skipped or failed, in one line."""
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" if self.reason else self.status


def write(out: Path, results: list[Result], setting: Mapping[str, Any]) -> None:
    """Write results.json and results.md to the folder `out`, each all or nothing."""
    content = json.dumps({"setting": dict(setting), "steps": [asdict(result) for result in results]}, indent=1)
    _replace(out / "results.json", content + "\n")
    _replace(out / "results.md", as_markdown(results, setting))


def as_markdown(results: list[Result], setting: Mapping[str, Any]) -> str:
    """Return a report with a section for each step."""
    facts = "\n".join(f"- {name}: {value}" for name, value in setting.items())
    sections = [f"## {each.step}\n\n{each} ({each.seconds:.0f} s)\n" + _tables(each.rows) for each in results]
    return "\n".join(["# GPU check\n", facts + "\n", *sections])


def _tables(rows: list[Row]) -> str:
    """Return a table for each run of rows that have the same columns."""
    text, columns = "", None
    for row in rows:
        if list(row) != columns:
            columns = list(row)
            text += f"\n{_line(columns)}{_line(['---'] * len(columns))}"
        text += _line([_shown(value) for value in row.values()])
    return text


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _shown(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _replace(path: Path, content: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)
