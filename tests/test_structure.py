"""The arrows of the house: training → (weights) → export → (artifacts) → mnistgen, and no way back."""

import ast

import pytest
from conftest import ROOT

FORBIDDEN = {
    "training": {"mnistgen", "export", "onnx", "onnxruntime"},
    "runtime/mnistgen": {"training", "export", "torch", "torchvision", "onnx", "safetensors"},
}
PACKAGES_OF_THE_RUNTIME = {"mnistgen", "numpy", "onnxruntime", "PIL", "click"}
PACKAGES_OF_EXTRAS = {"pyarrow"}


def imports(file, walk=ast.walk):
    for node in walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module.split(".")[0]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_arrows_point_one_way(folder):
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        assert not FORBIDDEN[folder] & set(imports(file)), file


def test_the_runtime_imports_its_own_packages_and_no_others():
    import sys

    for file in (ROOT / "runtime").rglob("*.py"):
        assert set(imports(file)) <= PACKAGES_OF_THE_RUNTIME | PACKAGES_OF_EXTRAS | sys.stdlib_module_names, file
        assert not PACKAGES_OF_EXTRAS & set(imports(file, ast.iter_child_nodes)), f"{file}: an extra, not asked for"


def test_no_generic_package_name_can_reach_site_packages():
    assert not (ROOT / "runtime" / "__init__.py").exists()
    assert not (ROOT / "tests" / "__init__.py").exists()
