"""`make test-arm`: what it downloads, and its messages. These tests need neither QEMU nor a network."""

import re
import tomllib

import pytest
from arm import emulate, root
from conftest import ROOT
from packaging.requirements import Requirement

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def test_every_package_has_a_version_and_hashes():
    packages = re.split(r"^(?=[a-z0-9-]+==)", root.requirements(), flags=re.MULTILINE)[1:]
    names = [package.partition("==")[0] for package in packages]
    assert {"numpy", "onnxruntime", "pillow", "click", *root.TESTING} <= set(names)
    assert len(names) == len(set(names))
    assert all("--hash=sha256:" in package for package in packages)


def test_platforms_are_arm():
    assert all(re.fullmatch(r"manylinux(2014|_2_\d\d)_aarch64", each) for each in root.PLATFORMS)


def test_listed_tests_exist_and_need_the_runtime_only():
    for name in emulate.TESTS:
        text = (ROOT / "tests" / name).read_text(encoding="utf-8")
        assert not re.search(r"^(from|import) (torch|training|export|onnx)\b", text, re.MULTILINE), name


def test_unknown_processor(monkeypatch):
    monkeypatch.setattr(emulate, "missing_packages", list)
    assert emulate.chosen([]) == ["cortex-a72", "cortex-a76", "max"]
    assert emulate.chosen(["max"]) == ["max"]
    with pytest.raises(SystemExit, match=r"The processor is z80; expected one of cortex-a72, "):
        emulate.chosen(["z80"])


def test_missing_programs_are_named(monkeypatch):
    monkeypatch.setattr(root.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt-get install qemu-user-static mmdebstrap "):
        emulate.chosen([])


def test_finished_steps_are_not_repeated(tmp_path):
    calls = []

    def unpack(target):
        calls.append(target)
        target.mkdir()

    for contents in ("1", "1", "2"):
        root._step(tmp_path / "site", contents, unpack)
    assert len(calls) == 2


@pytest.mark.parametrize("processor", root.PROCESSORS)
def test_emulator_starts_itself_again(tmp_path, processor):
    command = emulate.emulator(processor, tmp_path)
    assert command[:3] == ["qemu-aarch64-static", "-cpu", processor]
    assert f"'{processor}'" in (tmp_path / "python").read_text()


def test_bounds_leave_out_faulty_versions():
    (requirement,) = (each for each in map(Requirement, EXTRAS["cpu"]) if each.name == "onnxruntime")
    allowed = [
        version
        for version in ("1.18.1", "1.19.0", "1.21.0", "1.21.1", "1.27.0", "1.28.0")
        if version in requirement.specifier
    ]
    assert allowed == ["1.19.0", "1.21.1", "1.28.0"]
