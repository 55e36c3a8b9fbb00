"""Imports point one way: training → export → mnistgen between packages, and downwards inside each."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

FOLDERS = {"mnistgen": ROOT / "runtime" / "mnistgen", "training": ROOT / "training", "export": ROOT / "export"}
FORBIDDEN = {
    "training": {"mnistgen", "export", "onnx", "onnxruntime"},
    "mnistgen": {"training", "export", "torch", "torchvision", "onnx", "safetensors"},
}
PACKAGES_OF_RUNTIME = {"mnistgen", "numpy", "onnxruntime", "PIL", "click"}
PACKAGES_OF_EXTRAS = {"fsspec", "opentelemetry", "prometheus_client", "pyarrow", "ray", "starlette", "uvicorn"}
LAZY = "mnistgen.serve"
"""A package that needs an extra as a whole; so it is imported where it is used."""
LAYERS = [
    ["errors", "memory", "interrupts", "forking", "latents", "interpolation"],
    ["validation"],
    ["output", "inference.cpu", "inference.cuda", "inference.onnx_scan", "inference.plugins", "inference.session"],
    ["manifest"],
    ["inference.deadline"],
    ["inference.engine", "latent_digits", "model_file", "request", "text"],
    ["verify", "walk"],
    ["provenance.records", "provenance.checks"],
    ["image", "animation"],
    ["pictures"],
    ["generator"],
    ["api"],
    ["provenance", "dataset", "benchmark", "demo", "doctor"],
    ["serve"],
    ["cli", "_pyinstaller"],
]
"""Modules of mnistgen from bottom to top; each imports from its own layer and those above it in this list only."""


def module_name(package: str, path: Path) -> str:
    parts = (package, *path.relative_to(FOLDERS[package]).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full names that a module imports anywhere, except for type checking."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def graph(package: str) -> dict[str, set[str]]:
    """Return the modules of a package that each of its modules imports."""
    files = {module_name(package, path): path for path in FOLDERS[package].rglob("*.py")}
    found = {}
    for name, path in files.items():
        names = imported(ast.parse(path.read_text(encoding="utf-8")))
        targets = {target if target in files else target.rpartition(".")[0] for target in names}
        found[name] = {target for target in targets if target in files and target not in (name, package)}
    return found


def top_level_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(ast.parse(path.read_text(encoding="utf-8")))}


def layer(module: str) -> int:
    """Return the position in LAYERS of a module of mnistgen or of the longest prefix that is listed."""
    name = module.removeprefix("mnistgen.")
    ranks = [
        (len(listed), rank)
        for rank, names in enumerate(LAYERS)
        for listed in names
        if name == listed or name.startswith(f"{listed}.")
    ]
    assert ranks, f"{module} is not in LAYERS"
    return max(ranks)[1]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_depend_one_way(package):
    files = list(FOLDERS[package].rglob("*.py"))
    assert files
    for file in files:
        assert not FORBIDDEN[package] & top_level_packages(file), file


@pytest.mark.parametrize("package", FOLDERS)
def test_no_import_cycles(package):
    modules = graph(package)
    assert len(modules) > 10
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_runtime_layers():
    for module, targets in graph("mnistgen").items():
        if module == "mnistgen" or module == "mnistgen.inference":
            continue
        for target in targets - {"mnistgen.inference"}:
            assert layer(target) <= layer(module), f"{module} imports {target}"


def test_records_are_plain_data():
    modules = graph("mnistgen")
    records = modules["mnistgen.provenance.records"]
    assert records <= {"mnistgen.latents", "mnistgen.output", "mnistgen.output.limits", "mnistgen.validation"}
    for module, targets in modules.items():
        if module.startswith("mnistgen.output"):
            assert not {target for target in targets if target.startswith("mnistgen.provenance")}, module


def test_runtime_imports_few_packages():
    for file in FOLDERS["mnistgen"].rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert top_level_packages(file) <= PACKAGES_OF_RUNTIME | PACKAGES_OF_EXTRAS | sys.stdlib_module_names, file
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        lazy = {name for function in functions for name in imported(function)}
        if not module_name("mnistgen", file).startswith(LAZY):
            assert {name for name in imported(tree) if name.startswith(LAZY)} <= lazy, file
            lazy |= {name.partition(".")[0] for name in lazy}
        else:
            lazy |= PACKAGES_OF_EXTRAS
        used = PACKAGES_OF_EXTRAS & top_level_packages(file)
        assert used <= lazy, f"{file}: an extra must be imported where it is used"


def test_no_python_file_is_long():
    for folder in FOLDERS.values():
        for file in folder.rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 300, file


def test_generic_names_are_not_installed():
    assert not (ROOT / "runtime" / "__init__.py").exists()
    assert not (ROOT / "tests" / "__init__.py").exists()
