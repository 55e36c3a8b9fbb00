"""A Griffe extension for the API page: put doctest examples and the tree of errors in docstrings into code fences."""

import re

import griffe

_USAGE = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
_LINE = re.compile(r"^(>>> |\.\.\. )?", re.MULTILINE)
_TREE = re.compile(r"^\w+\n├.*", re.MULTILINE | re.DOTALL)


class Code(griffe.Extension):
    """Fence doctest lines, which Markdown would render as quotations, and the tree of errors."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            text = _USAGE.sub(_copied, obj.docstring.value)
            obj.docstring.value = _TREE.sub(lambda tree: f"```text\n{tree[0]}\n```", text)


def _copied(usage: re.Match[str]) -> str:
    """Return doctest lines as a code block, with results as comments."""
    code = _LINE.sub(lambda prompt: "" if prompt[1] else "# ", usage[0])
    return f"```python\n{code}\n```"
