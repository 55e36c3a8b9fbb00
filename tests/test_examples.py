"""Every example runs and generates the same images as the runtime.

A test is skipped if the tools it needs are missing; `make examples` installs them.
"""

import ast
import base64
import functools
import html
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from importlib.metadata import entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import islice

import notebook_outputs
import numpy as np
import philox
import pytest
from conftest import ROOT, TRAINED
from PIL import Image

import mnistgen

EXAMPLES = ROOT / "examples"
JAVASCRIPT = EXAMPLES / "javascript"
NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
INSTALLED = (JAVASCRIPT / "node_modules" / "onnxruntime-node").is_dir()
needs_node = pytest.mark.skipif(not NODE, reason="needs Node.js 20.15 or newer")
needs_packages = pytest.mark.skipif(not (NODE and INSTALLED), reason="needs Node.js, npm and `make examples`")


def needs(*packages: str):
    missing = [package for package in packages if not find_spec(package)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}: `make examples`")


def example(name):
    """Import an example from its file."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw(*arguments):
    """Run draw.mjs in Node.js; return the exit code, stdout and stderr."""
    done = subprocess.run(
        [NODE, JAVASCRIPT / "draw.mjs", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@needs_node
def test_javascript_latents_match_test_vectors():
    code = """
import { readFileSync } from "node:fs";
const [module, vectors] = process.argv.slice(1);
const { latents, philox } = await import(module);
const drawn = JSON.parse(readFileSync(vectors)).map(({ size, seed, index, attempt = 0 }) =>
  Array.from(latents(1, size, BigInt(seed), BigInt(index), BigInt(attempt))));
console.log(JSON.stringify({ drawn, ones: philox((1n << 256n) - 1n, ...Array(2).fill((1n << 64n) - 1n)).map(String) }));
"""
    vectors = ROOT / "tests" / "latents.json"
    command = [NODE, "--input-type=module", "-e", code, (JAVASCRIPT / "latents.mjs").as_uri(), vectors]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    for drawn, vector in zip(answer["drawn"], json.loads(vectors.read_text()), strict=True):
        got, expected = (np.array(latent, dtype=np.float32) for latent in (drawn, vector["latent"]))
        np.testing.assert_array_almost_equal_nulp(got, expected, nulp=1)  # log, cos and sin may differ
    assert [int(word) for word in answer["ones"]] == philox.philox4x64(2**256 - 1, 2**128 - 1)


@needs_packages
@pytest.mark.parametrize("name", TRAINED)
def test_node_matches_python(name, tmp_path):
    path = str(tmp_path / "drawn.png")
    arguments = ["--n", "110", "--seed", str(2**64 - 1), "--start", str(2**62 + 3), "--scale", "1", "--out", path]
    assert draw("--model", name, *arguments) == (0, f"{path}  seed {2**64 - 1}  {name}\n", "")
    with Image.open(path) as image:
        drawn = np.asarray(image).reshape(11, 28, 10, 28).swapaxes(1, 2).reshape(110, 28, 28)
    assert_close(drawn, mnistgen.load(name, device="cpu").generate(110, seed=2**64 - 1, start=2**62 + 3))


@needs_packages
def test_node_digit_and_scale(tmp_path, cgan):
    path = str(tmp_path / "five.png")
    assert draw("--model", "cgan", "--digit", "5", "--seed", "7", "--out", path)[0] == 0
    with Image.open(path) as image:
        picture = np.asarray(image)
    assert_close(picture[None, ::8, ::8], cgan.generate(digit=5, seed=7))
    np.testing.assert_array_equal(picture, picture[::8, ::8].repeat(8, 0).repeat(8, 1))


@needs_packages
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "foo"], 2, '"foo"; expected one of vae, gan, cgan, cgan-int8'),
        (["--digit", "11"], 2, "digit is 11; expected an integer from 0 to 9"),
        (["--model", "vae", "--digit", "3"], 2, "The vae is unconditional"),
        (["--n", "0"], 2, "--n is 0; expected an integer from 1 to 1000"),
        (["--seed", str(2**64)], 2, f"seed is {2**64}; expected an integer from 0 to {2**64 - 1}"),
        (["--start", str(2**63)], 2, f"start is {2**63}"),
        (["--out", "digits.gif"], 2, "--out is digits.gif"),
        (["--out", "/dev/null.png/digits.png"], 1, "Cannot write /dev/null.png/digits.png (ENOENT)"),
        (["--out", "/dev/null/digits.png"], 1, "Cannot write /dev/null/digits.png (ENOTDIR)"),
        (["--artifacts", "nowhere"], 1, "(ENOENT)"),
    ],
)
def test_node_rejects_invalid_options(arguments, code, words, folder):
    got, out, err = draw(*arguments)
    assert (got, out, err.count("\n"), os.listdir()) == (code, "", 1, [])
    assert words in err


@needs_packages
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--seed", "7"], "cgan-seed7.png"),
        (["--digit", "5"], "cgan-digit5-seed0.png"),
        (["--model", "vae", "--out", "mine.PNG"], "mine.PNG"),
    ],
)
def test_node_does_not_overwrite_files(arguments, name, folder):
    assert draw(*arguments)[0] == 0
    before = (folder / name).read_bytes()
    assert draw(*arguments) == (1, "", f"draw.mjs: {name} exists. Choose another file with --out.\n")
    assert (os.listdir(), (folder / name).read_bytes()) == ([name], before)


@needs_packages
def test_node_rejects_damaged_model(artifacts, folder):
    damaged = bytearray((artifacts / "cgan.onnx").read_bytes())
    damaged[1000] ^= 1
    (artifacts / "cgan.onnx").write_bytes(damaged)
    code, _, err = draw("--artifacts", str(artifacts))
    assert (code, os.listdir()) == (1, [])
    assert "cgan.onnx does not match its SHA-256" in err


@pytest.fixture(scope="module")
def page():
    """The page in a browser, loaded from a static file server without errors."""
    from playwright.sync_api import sync_playwright

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=ROOT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context().new_page()
        wrong = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda response: response.ok or wrong.append(response.url))
        page.goto(f"http://127.0.0.1:{server.server_port}/examples/javascript/")
        page.get_by_text("Drew 10 digits").wait_for()
        yield page
        browser.close()
    server.shutdown()
    server.server_close()
    assert wrong == []


needs_browser = pytest.mark.skipif(
    not (CHROMIUM and INSTALLED and find_spec("playwright")), reason="needs Chromium and `make examples`"
)


@needs_browser
@pytest.mark.parametrize("name", TRAINED)
def test_browser_matches_python(page, name):
    code = """async (name) => {
      const [ort, { load }] = [await import("onnxruntime-web"), await import("./mnistgen.mjs")];
      const gen = await load(name, { ort, artifacts: new URL("../../artifacts/", location.href) });
      const halves = await Promise.all([0, 55].map((start) => gen.generate(55, { seed: 7, start })));  // at once
      await gen.close();
      return halves.map((half) => Array.from(half));
    }"""
    drawn = np.array(page.evaluate(code, name)).reshape(110, 28, 28)
    assert_close(drawn, mnistgen.load(name, device="cpu").generate(110, seed=7))


def shown(page):
    """Return the digits on the page, uint8 (n, 28, 28)."""
    code = """(canvases) => canvases.map((canvas) =>
      Array.from(canvas.getContext("2d").getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0))"""
    return np.array(page.get_by_role("img").evaluate_all(code)).reshape(-1, 28, 28)


@needs_browser
def test_page_opens_with_ten_digits(page, cgan):
    opened = page.context.new_page()
    opened.goto(page.url)
    opened.get_by_text("Drew 10 digits").wait_for()
    assert_close(shown(opened), cgan.generate(10, seed=7))
    opened.get_by_label("Seed").fill("14")
    opened.get_by_text("Drew 10 digits of seed 14").wait_for()
    assert_close(shown(opened), cgan.generate(10, seed=14))
    opened.get_by_role("button", name="3", exact=True).click()
    opened.get_by_text("Drew 3 of").wait_for()
    assert_close(shown(opened), cgan.generate(11, digit=[*range(10), 3], seed=14))
    opened.close()


@needs_browser
def test_page_shows_digits_and_python_code(page, cgan):
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Press a key.").wait_for()
    page.get_by_role("button", name="3", exact=True).click()
    page.keyboard.press("1")
    page.get_by_role("button", name="4", exact=True).click()
    page.get_by_text("Drew 4").wait_for()
    assert page.locator("code").inner_text() == 'mnistgen.load("cgan").generate(3, digit=[3, 1, 4], seed=7)'
    assert_close(shown(page), cgan.generate(3, digit=[3, 1, 4], seed=7))
    page.get_by_label("Seed").fill("seven")
    page.get_by_role("button", name="5", exact=True).click()
    page.get_by_text("The seed must be an integer from 0 to 18446744073709551615.").wait_for()
    page.get_by_role("button", name="Clear").click()
    assert page.get_by_role("img").count() == 0
    page.get_by_label("Model").select_option("gan")
    page.get_by_label("Seed").fill("8")
    page.get_by_text("Drew 10 digits of seed 8").wait_for()
    assert_close(shown(page), mnistgen.load("gan", device="cpu").generate(10, seed=8))


@needs_browser
@pytest.mark.parametrize(
    ("missing", "words"),
    [("**/ort.wasm*", "A script is missing. Run npm ci"), ("**/manifest.json", "manifest.json (404)")],
)
def test_page_reports_missing_files(page, missing, words):
    other = page.context.new_page()
    other.route(missing, lambda route: route.fulfill(status=404))
    other.goto(page.url)
    other.get_by_text(words).wait_for(timeout=10_000)
    other.close()


@needs_browser
def test_page_with_unconditional_model(page):
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Model").select_option("vae")
    other.get_by_text("Drew 10 digits").wait_for()
    other.get_by_role("button", name="Draw").click()
    other.get_by_text("Drew a digit").wait_for()
    assert other.locator("code").inner_text() == 'mnistgen.load("vae").generate(11, seed=7)'
    assert_close(shown(other), mnistgen.load("vae", device="cpu").generate(11, seed=7))
    other.close()


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
