"""Every example runs and generates the same images as the runtime.

A test is skipped if the tools it needs are missing; `make examples` installs them.
"""

import ast
import base64
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import islice

import notebook_outputs
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

import mnistgen

EXAMPLES = ROOT / "examples"


def needs(*packages: str):
    missing = [package for package in packages if not find_spec(package)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}: `make examples`")


def example(name):
    """Import an example from its file."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_close(drawn, expected):
    assert drawn.shape == expected.shape
    assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1


@needs("flask")
def test_flask_images_are_cacheable(cgan):
    client = example("flask_app").app.test_client()
    first = client.get("/5.png?seed=7&index=3&scale=1")
    with Image.open(io.BytesIO(first.data)) as image:
        np.testing.assert_array_equal(np.asarray(image), cgan.generate(digit=5, seed=7, start=3)[0])
    assert first.headers["Cache-Control"] == "public, max-age=86400"
    tag = first.headers["ETag"]
    assert tag.startswith('"')  # strong: equal tags mean equal bytes
    again = client.get("/5.png?seed=7&index=3&scale=1", headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    changed = client.get("/5.png?seed=8&index=3&scale=1", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["ETag"] == tag) == (200, False)
    other = client.get("/5.png")
    assert (other.status_code, other.headers["Cache-Control"]) == (302, "no-store")
    assert client.get(other.headers["Location"]).status_code == 200


@needs("flask")
def test_flask_page_shows_digits(cgan):
    client = example("flask_app").app.test_client()
    page = client.get("/?seed=7")
    assert (page.mimetype, page.headers["Cache-Control"]) == ("text/html", "no-store")
    sources = [html.unescape(source) for source in re.findall(r'<img src="([^"]+)"', page.text)]
    assert len(sources) == len(set(sources)) == 30
    for i, source in enumerate(sources):
        with Image.open(io.BytesIO(client.get(source).data)) as image:
            expected = cgan.generate(digit=i % 10, seed=7, start=i // 10)[0]
            np.testing.assert_array_equal(np.asarray(image)[::4, ::4], expected)
    assert client.get("/").text != client.get("/").text  # random seeds


@needs("flask")
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/?seed=-1", "seed is -1"),
        ("/?seed=x", "seed is 'x'; expected an integer"),
        ("/11.png?seed=1", "digit is 11"),
        ("/5.png?seed=-1", "seed is -1"),
        ("/5.png?seed=x", "seed is 'x'; expected an integer"),
        ("/5.png?seed=1&scale=0", "scale is 0; expected an integer from 1 to 32"),
        ("/5.png?seed=1&index=9223372036854775808", "start"),
    ],
)
def test_flask_rejects_invalid_parameters(url, words):
    answer = example("flask_app").app.test_client().get(url)
    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 and newer warn
def test_dataset_is_independent_of_workers(cgan):
    pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    digits = example("torch_stream").Digits(batch=8, seed=3)
    alone = list(islice(DataLoader(digits, batch_size=None), 5))
    images, labels = (np.concatenate([batch[part].numpy() for batch in alone]) for part in (0, 1))
    np.testing.assert_array_equal(images[:, 0], cgan.generate(40, seed=3).astype(np.float32) / 255)
    np.testing.assert_array_equal(labels, np.arange(40) % 10)
    shared = islice(DataLoader(digits, batch_size=None, num_workers=2, multiprocessing_context="fork"), 5)
    for (image, label), (expected_image, expected_label) in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(image, expected_image)
        np.testing.assert_array_equal(label, expected_label)


def pictures(notebook):
    """Return the PNGs in a notebook's outputs as arrays of grey levels, by cell."""
    found = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                with Image.open(io.BytesIO(base64.b64decode(png))) as image:
                    found.setdefault(cell["id"], []).append(np.asarray(image))
    return found


def test_notebook_has_outputs():
    notebook = json.loads(notebook_outputs.PATH.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), (
        "python tests/notebook_outputs.py"
    )
    assert {output["output_type"] for cell in code for output in cell["outputs"]} == {"display_data", "execute_result"}
    assert len(pictures(notebook)) == 6
    assert notebook_outputs.PATH.stat().st_size < 1_000_000


@needs("nbclient", "ipykernel", "ipywidgets")
def test_notebook_runs_with_the_same_outputs():
    saved = pictures(json.loads(notebook_outputs.PATH.read_text(encoding="utf-8")))
    drawn = pictures(notebook_outputs.run())
    assert drawn.keys() == saved.keys()
    for cell, images in drawn.items():
        assert_close(np.array(images), np.array(saved[cell]))


@needs("ipywidgets", "IPython")
def test_sliders_of_notebook_redraw(monkeypatch, cgan):
    monkeypatch.setattr("IPython.display.display", lambda *shown: None)
    cells = json.loads(notebook_outputs.PATH.read_text(encoding="utf-8"))["cells"]
    space, explorers = {}, []
    for cell in cells:
        if cell["cell_type"] == "code":
            *_, last = ast.parse("".join(cell["source"])).body
            exec("".join(cell["source"]), space)
            if isinstance(last, ast.Expr) and ast.unparse(last).startswith("explore("):
                explorers.append(eval(ast.unparse(last), space))
    mixture, point = explorers
    for box, name, value in [(mixture, "start", 7), (mixture, "angle", 90), (point, "x", -2.5), (point, "y", 2.5)]:
        sliders, picture = box.children
        before = picture.value
        (slider,) = [each for each in sliders.children if each.description == name]
        slider.value = value
        assert picture.value != before, name
    sliders, picture = mixture.children
    sliders.children[2].value = 0  # all of the first digit
    with Image.open(io.BytesIO(picture.value)) as image:
        assert_close(np.asarray(image)[None, ::8, ::8], cgan.generate(digit=7, seed=34))


@pytest.fixture
def display():
    """The name of a display for windows; starts Xvfb if there is none."""
    if "DISPLAY" in os.environ or sys.platform in ("win32", "darwin"):
        yield os.environ.get("DISPLAY", "")
        return
    if not shutil.which("Xvfb"):
        pytest.skip("needs a display, or Xvfb")
    read, write = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(write)], pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as answer:
            yield f":{answer.readline().strip()}"
        server.terminate()


@needs("tkinter")
def test_window_shows_new_digit_per_press(display, monkeypatch, cgan):
    monkeypatch.setenv("DISPLAY", display)
    pad = example("tk_pad").Pad(cgan, seed=7)
    for press, digit in enumerate([5, 5, 3]):
        pad.draw(digit)
        pad.update()
        shown = [[pad._picture.get(8 * x, 8 * y)[0] for x in range(28)] for y in range(28)]
        np.testing.assert_array_equal(shown, cgan.generate(digit=digit, seed=7, start=press)[0])
    pad.destroy()


BUNDLED = """
import sys, mnistgen
from mnistgen import cli
if len(sys.argv) > 1:
    cli.main()
print(mnistgen.load("vae").generate(seed=7).tobytes().hex())
"""


HOOKED = any(point.value.startswith("mnistgen.") for point in entry_points(group="pyinstaller40"))


@needs("PyInstaller")
@pytest.mark.skipif(not HOOKED, reason="needs mnistgen to be installed with its entry point: pip install -e .")
def test_bundled_app_has_models_and_commands(tmp_path):
    (tmp_path / "app.py").write_text(BUNDLED)
    lean = ["--exclude-module", "onnxruntime.transformers"]  # would bundle PyTorch if it is installed
    build = [sys.executable, "-m", "PyInstaller", "--onefile", *lean, "app.py"]
    subprocess.run(build, cwd=tmp_path, check=True, timeout=600, capture_output=True)
    app, elsewhere = tmp_path / "dist" / "app", tmp_path / "elsewhere"
    elsewhere.mkdir()
    bare = {"cwd": elsewhere, "env": {"PATH": ""}, "capture_output": True, "text": True, "timeout": 60}
    expected = mnistgen.load("vae").generate(seed=7).tobytes().hex()
    assert subprocess.run([app], check=True, **bare).stdout == f"{expected}\n"
    assert "cgan-int8" in subprocess.run([app, "models"], check=True, **bare).stdout
