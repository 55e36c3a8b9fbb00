"""Run examples/digits.ipynb and save its outputs: `python tests/notebook_outputs.py`."""

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "examples" / "digits.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path = PATH) -> dict[str, Any]:
    """Return the notebook with the outputs of a new run.

    Widgets are left out: they cannot be shown without their kernel. So are facts of this machine, such as its Python.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    metadata = json.loads(json.dumps(notebook.metadata))
    nbclient.NotebookClient(notebook, timeout=60, record_timing=False, store_widget_state=False).execute()
    notebook.metadata = metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    return json.loads(nbformat.writes(notebook))


def main() -> None:
    text = json.dumps(run(), indent=1, ensure_ascii=False)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
