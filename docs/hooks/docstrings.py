"""An extension of Griffe, which reads the docstrings for the page of the API: what is no prose in them becomes code."""

import re

import griffe

_USAGE = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)
_LINE = re.compile(r"^(>>> |\.\.\. )?", re.MULTILINE)
_TREE = re.compile(r"^\w+\n├.*", re.MULTILINE | re.DOTALL)


class Code(griffe.Extension):
    """Fences lines of usage, which Markdown takes for quotations, and the tree of the errors."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            text = _USAGE.sub(_copied, obj.docstring.value)
            obj.docstring.value = _TREE.sub(lambda tree: f"```text\n{tree[0]}\n```", text)


def _copied(usage: re.Match[str]) -> str:
    """The lines of usage as one would type them, what they return as a comment."""
    code = _LINE.sub(lambda prompt: "" if prompt[1] else "# ", usage[0])
    return f"```python\n{code}\n```"
