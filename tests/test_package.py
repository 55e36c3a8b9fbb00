"""The archives have the right files and metadata, and the wheel works in a separate environment without PyTorch."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from conftest import PACKAGED, ROOT
from PIL import Image

import mnistgen
from mnistgen import doctor

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIP = ["-m", "pip", "--disable-pip-version-check", "-q"]
WHEELHOUSE = Path(sys.prefix) / "wheelhouse"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *PIP, *build], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"mnistgen", f"mnistgen-{mnistgen.__version__}.dist-info"}
    assert {name for name in names if "artifacts" in name} == {
        "mnistgen/artifacts/manifest.json",
        *(f"mnistgen/artifacts/{name}.onnx" for name in (*PACKAGED, "verifier")),
    }
    assert "mnistgen/py.typed" in names
    licenses = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert licenses == {"LICENSE", "NOTICE"}
    assert not [name for name in names if name.endswith((".safetensors", ".pt"))]


def test_packaged_manifest_lists_the_packaged_models(wheel, tmp_path):
    packed = json.loads(zipfile.ZipFile(wheel).read("mnistgen/artifacts/manifest.json"))
    full = json.loads((ROOT / "artifacts" / "manifest.json").read_text(encoding="utf-8"))
    assert packed == {**full, "models": {name: full["models"][name] for name in PACKAGED}}
    zipfile.ZipFile(wheel).extractall(tmp_path)
    folder = tmp_path / "mnistgen" / "artifacts"
    assert [check.code for check in doctor.examine(folder).checks if check.level != doctor.OK] == []
    with pytest.raises(mnistgen.UnknownModelError, match="'cgan-fp16'; expected one of vae, gan, cgan, cgan-int8"):
        mnistgen.load("cgan-fp16", artifacts=folder)


def test_npm_package_has_the_same_version():
    web = ROOT / "web"
    versions = [json.loads((web / name).read_text())["version"] for name in ("package.json", "package-lock.json")]
    assert versions == [mnistgen.__version__] * 2
    assert f"mnistgen-{mnistgen.__version__}.tgz" in (web / "README.md").read_text()


def test_metadata_has_only_absolute_links(wheel):
    name = f"mnistgen-{mnistgen.__version__}.dist-info/METADATA"
    headers, _, text = zipfile.ZipFile(wheel).read(name).decode().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in headers
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    address, tag = PROJECT["urls"]["Source"], f"v{mnistgen.__version__}"
    raw = address.replace("github.com", "raw.githubusercontent.com")
    for start, is_image in ((f"{address}/blob/{tag}/", False), (f"{raw}/{tag}/", True)):
        paths = [target.removeprefix(start).partition("#")[0] for target in targets if target.startswith(start)]
        assert len(paths) > 1
        assert all((ROOT / path).is_file() and path.endswith((".gif", ".png")) == is_image for path in paths)


def test_addresses_agree():
    address = PROJECT["urls"]["Source"]
    assert all(url.startswith(address) for url in PROJECT["urls"].values())


def test_archives_are_reproducible(tmp_path):
    """Other folders, file times and modes give the same bytes."""
    hashes = []
    for name, mask in (("one", 0o022), ("another", 0o077)):
        folder = tmp_path / name
        shutil.copytree(ROOT / "runtime", folder / "runtime", copy_function=shutil.copyfile)
        (folder / "artifacts").mkdir()
        for path in (*ROOT.glob("artifacts/*.*"), *ROOT.glob("*.*"), ROOT / "LICENSE", ROOT / "NOTICE"):
            if path.is_file():
                shutil.copyfile(path, folder / path.relative_to(ROOT))
                (folder / path.relative_to(ROOT)).chmod(0o666 & ~mask)
        build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / f"{name}-dist")]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        subprocess.run(build, check=True, cwd=folder, env=environment, capture_output=True, timeout=120)
        built = sorted((tmp_path / f"{name}-dist").iterdir())
        hashes.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built})
    assert len(hashes[0]) == 2
    assert hashes[0] == hashes[1]
    with tarfile.open(next((tmp_path / "one-dist").glob("*.tar.gz"))) as archive:
        models = {PurePosixPath(name).name for name in archive.getnames() if "/artifacts/" in name}
    assert models == {"manifest.json", *(f"{name}.onnx" for name in (*PACKAGED, "verifier"))}


@pytest.mark.skipif(not WHEELHOUSE.is_dir(), reason="needs the wheels that `make test` downloads")
def test_wheel_generates_without_pytorch(wheel, tmp_path):
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    venv.create(tmp_path / "venv", symlinks=sys.platform != "win32")
    install = ["install", "--no-index", "--no-compile", "--find-links", str(WHEELHOUSE), f"{wheel}[cpu]"]
    subprocess.run([sys.executable, *PIP, "--python", python, *install], check=True, timeout=300)
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 1
    for name in PACKAGED:
        options = ["--model", name, "--n", "10", "--seed", "0", "--scale", "1", "--out", f"{name}.png", "--quiet"]
        subprocess.run([python.parent / "mnistgen-run", *options], check=True, cwd=tmp_path, timeout=60)
        with Image.open(tmp_path / f"{name}.png") as image:
            drawn = np.asarray(image)
        np.testing.assert_array_equal(drawn, np.concatenate(list(mnistgen.load(name).generate(10, seed=0)), axis=1))
