"""The files in requirements/ pin and hash what pyproject.toml and constraints.txt ask for."""

import re
import tomllib

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WITHOUT_HASH = {"torch", "torchvision"}


def locked(name: str) -> dict[str, set[str]]:
    """Return the versions of each package in a file of requirements/."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", text(name), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


def text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def requirements(extra: str) -> list[Requirement]:
    """Return the requirements of an extra, those of other extras of the package included."""
    found = []
    for line in PROJECT["project"]["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if requirement.name == "mnistgen":
            found += [each for inner in requirement.extras for each in requirements(inner)]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cpu", [*map(Requirement, PROJECT["project"]["dependencies"]), *requirements("cpu")]),
        ("dev", [*map(Requirement, PROJECT["project"]["dependencies"]), *requirements("dev")]),
        ("release", [*map(Requirement, PROJECT["dependency-groups"]["release"])]),
    ],
)
def test_locks_fulfil_the_project(name, wanted):
    versions = locked(name)
    assert len(wanted) > 3
    for requirement in wanted:
        if requirement.name not in WITHOUT_HASH:
            assert all(map(requirement.specifier.contains, versions[requirement.name])), requirement


@pytest.mark.parametrize("name", ["cpu", "dev", "release"])
def test_locks_have_hashes(name):
    packages = re.split(r"^(?=[a-z0-9-]+==)", text(name), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in package for package in packages)


def test_locks_agree():
    constraints = dict(re.findall(r"^([a-z0-9-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    dev = locked("dev")
    assert {name: {version} for name, version in constraints.items() if name not in WITHOUT_HASH}.items() <= dev.items()
    assert locked("cpu").items() <= dev.items()
