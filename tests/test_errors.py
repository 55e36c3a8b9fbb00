"""Errors carry a documented code and a remedy (contract C6)."""

import ast
import pickle
import re

import pytest
from conftest import ROOT

import mnistgen

CLASSES = [cls for cls in vars(mnistgen.errors).values() if isinstance(cls, type) and issubclass(cls, Exception)]
ERRORS = [cls for cls in CLASSES if issubclass(cls, mnistgen.MnistgenError)]
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def sources():
    for path in (ROOT / "runtime").rglob("*.py"):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def codes_in_source():
    """Return the codes: of errors, of CUDA faults, of checks, and of ONNX Runtime's refusals."""
    codes = set()
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "code":
                codes |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Fault", "Check"):
                codes |= {part.value for part in node.args if isinstance(part, ast.Constant)}
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("code", "codes"):
                codes |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    return {code for code in codes if isinstance(code, str) and CODE.fullmatch(code) and "-" in code} | {"illegible"}


def test_every_code_is_documented():
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == codes_in_source()


def test_every_raised_error_has_a_code():
    names = {cls.__name__ for cls in ERRORS}
    calls = [
        (path.name, node)
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names
    ]
    assert len(calls) > 40
    assert [(name, node.lineno) for name, node in calls if "code" not in {word.arg for word in node.keywords}] == []


@pytest.mark.parametrize("cls", ERRORS)
def test_errors_survive_pickling(cls):
    error = cls("seed is -1; expected an integer", code="invalid-seed", remedy="Use 0")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert (copy.problem, copy.code, copy.remedy) == (error.problem, error.code, error.remedy)
    assert str(copy) == "seed is -1; expected an integer. Use 0."


def test_error_without_remedy_is_one_sentence():
    assert str(mnistgen.InputError("n is 0; expected 1", code="invalid-count")) == "n is 0; expected 1."


def test_error_needs_a_code():
    with pytest.raises(TypeError):
        mnistgen.InputError("n is 0")
