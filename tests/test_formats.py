"""File formats of pictures."""

import io
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageSequence
from subprocess_helpers import cli_command, needs_terminal, run_in_terminal

import mnistgen
from mnistgen.output import animation, formats, images, limits
from mnistgen.output.formats import Layout

ALL = list(limits.LAYOUT)
DIGITS = np.arange(13 * 784, dtype=np.uint32).astype(np.uint8).reshape(13, 28, 28)
SVG = "{http://www.w3.org/2000/svg}"


def layout(kind, **changes):
    return Layout(kind, **{"scale": 2, "columns": 5} | changes)


def frames_of(content):
    with Image.open(io.BytesIO(content)) as file:
        return np.stack([np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(file)]), file.info


def rasterised(svg):
    """Paint the rectangles of an SVG one after another; its unit is a pixel."""
    root = ElementTree.fromstring(svg)
    assert root.get("shape-rendering") == "crispEdges"
    _, _, width, height = map(int, root.get("viewBox").split())
    picture = np.zeros((height, width), dtype=np.uint8)
    paper, *groups = root
    for group in (paper, *groups):
        shade = int(group.get("fill")[1:3], 16)
        assert group.get("fill") == f"#{shade:02x}{shade:02x}{shade:02x}"
        for rectangle in [group] if group is paper else group:
            x, y, w, h = (int(rectangle.get(side, 0)) for side in ("x", "y", "width", "height"))
            assert group is paper or rectangle.tag == f"{SVG}rect"
            picture[y : y + h, x : x + w] = shade
    return picture, (int(root.get("width")), int(root.get("height")))


@pytest.mark.parametrize("invert", [False, True])
def test_png_is_scaled_grid(invert):
    (picture,), _ = frames_of(formats.encode(DIGITS, layout("png", invert=invert)))
    grid = images.grid(DIGITS, 2, 5)
    np.testing.assert_array_equal(picture, 255 - grid if invert else grid)


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("invert", [False, True])
def test_animation_shows_one_digit_per_frame(kind, invert):
    frames, info = frames_of(formats.encode(DIGITS, layout(kind, invert=invert)))
    shown = 255 - DIGITS if invert else DIGITS
    np.testing.assert_array_equal(frames, shown.repeat(2, 1).repeat(2, 2))
    assert (info["loop"], info["duration"]) == (0, limits.MILLISECONDS)


def test_webp_of_one_digit_is_still():
    with Image.open(io.BytesIO(formats.encode(DIGITS[:1], layout("webp")))) as file:
        assert (file.n_frames, file.is_animated) == (1, False)
        np.testing.assert_array_equal(np.asarray(file.convert("L"))[::2, ::2], DIGITS[0])


def test_npy_and_npz_hold_arrays():
    np.testing.assert_array_equal(np.load(io.BytesIO(formats.encode(DIGITS, layout("npy")))), DIGITS)
    labels = tuple(i % 10 for i in range(13))
    encoded = formats.encode(DIGITS, layout("npz", invert=True), digits=labels, metadata="facts")
    arrays = np.load(io.BytesIO(encoded))
    np.testing.assert_array_equal(arrays["images"], 255 - DIGITS)
    assert arrays["digits"].tolist() == list(labels)
    assert str(arrays["mnistgen"]) == "facts"
    assert np.load(io.BytesIO(formats.encode(DIGITS, layout("npz")))).files == ["images"]


@pytest.mark.parametrize("invert", [False, True])
def test_svg_paints_same_picture(invert):
    digits = np.concatenate([DIGITS[:6], DIGITS[:6] // 86 * 100])  # the latter in long runs
    svg = formats.encode(digits, layout("svg", invert=invert))
    picture, size = rasterised(svg)
    grid = images.grid(digits, 1, 5)
    np.testing.assert_array_equal(picture, 255 - grid if invert else grid)
    assert size == (2 * 140, 2 * 84)
    assert b"<image" not in svg


def test_txt_shows_half_blocks():
    picture = np.zeros((1, 28, 28), dtype=np.uint8)
    picture[0, 0, 1] = picture[0, 1, 2] = 255
    picture[0, :2, 3] = 128
    text = formats.encode(picture, layout("txt")).decode()
    assert text == " ▀▄█\n" + "\n" * 13
    inverted = formats.encode(picture, layout("txt", invert=True)).decode().splitlines()
    assert (inverted[0], inverted[1]) == ("█▄▀ " + "█" * 24, "█" * 28)


@pytest.mark.parametrize("kind", ALL)
def test_equal_arguments_give_equal_bytes(kind):
    first, second = (formats.encode(DIGITS, layout(kind), digits=(5,) * 13, metadata="facts") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", limits.CARRIERS)
def test_metadata_is_optional(kind):
    with_metadata = formats.encode(DIGITS, layout(kind), metadata="facts" * 20)
    without = formats.encode(DIGITS, layout(kind))
    assert len(without) < len(with_metadata)
    assert b"facts" not in without


@pytest.mark.parametrize(("kind", "width"), [("webp", 16_384), ("gif", 65_536)])
def test_too_large_frames_are_rejected(kind, width):
    frames = np.zeros((1, 1, width), dtype=np.uint8)
    assert animation.encode(frames[:, :, 1:], kind, 40)
    with pytest.raises(mnistgen.InputError, match=f"{width}×1 pixels; expected at most {width - 1}") as caught:
        animation.encode(frames, kind, 40)
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("kind", ALL)
def test_format_from_suffix_or_option(run, folder, cgan, kind):
    assert run("--digit", "3,1", "--seed", "1", "--out", f"x.{kind.upper()}")[0] == 0
    assert run("--digit", "3,1", "--seed", "1", "--format", kind)[0] == 0
    assert sorted(os.listdir()) == [f"cgan-digits31-seed1.{kind}", f"x.{kind.upper()}"]
    first, second = ((folder / name).read_bytes() for name in os.listdir())
    assert first == second
    if kind == "npy":
        np.testing.assert_array_equal(np.load(f"x.{kind.upper()}"), cgan.generate(2, digit=[3, 1], seed=1))


def test_start_columns_and_invert(run, folder, cgan):
    options = ["--n", "3", "--digit", "7", "--seed", "1", "--start", "5", "--columns", "2", "--scale", "1", "--invert"]
    assert run(*options)[0] == 0
    with Image.open("cgan-digit7-n3-seed1-start5.png") as file:
        expected = images.grid(cgan.generate(3, digit=7, seed=1, start=5), columns=2)
        np.testing.assert_array_equal(np.asarray(file), 255 - expected)


def test_start_matches_python_api(run, folder, cgan):
    assert run("--n", "12", "--seed", "1", "--start", "7", "--format", "npy", "--out", "x.npy")[0] == 0
    np.testing.assert_array_equal(np.load("x.npy"), cgan.generate(12, seed=1, start=7))


def piped(folder, *arguments, **options):
    started = cli_command("--seed", "1", "--digit", "5", *arguments, name="mnistgen-run")
    return subprocess.run(started, cwd=folder, check=False, **options)


def test_dash_writes_file_to_stdout(folder, run):
    run("--seed", "1", "--digit", "5")
    (folder / "cgan-digit5-seed1.png").rename(folder.parent / "x.png")
    done = piped(folder, "--out", "-", "--device", "cpu", capture_output=True)
    assert done.returncode == 0
    assert done.stdout == (folder.parent / "x.png").read_bytes()
    assert done.stderr == b"-  seed 1  CPUExecutionProvider\n"
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
def test_closed_pipe_gives_no_traceback(folder):
    reader, writer = os.pipe()
    os.close(reader)
    broken = piped(folder, "--out", "-", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (broken.returncode, broken.stderr) == (1, b"")
    closed = ["sh", "-c", '"$@" >&-', "sh", *cli_command("--out", "-", name="mnistgen-run")]
    done = subprocess.run(closed, cwd=folder, capture_output=True, check=False)
    expected = b"mnistgen-run: stdout is closed. Name a file with --out.\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_device_stays_a_device(folder, run):
    assert run("--format", "png", "--out", "/dev/full") == (
        1,
        "",
        "mnistgen-run: /dev/full cannot be written (No space left on device). Name another file with --out.\n",
    )
    assert Path("/dev/full").is_char_device()


@needs_terminal
def test_terminal_accepts_text_only(folder):
    code, shown = run_in_terminal("run", "--out", "-")
    assert code == 2
    assert shown.startswith("mnistgen: stdout is a terminal")
    code, shown = run_in_terminal("run", "--digit", "5", "--out", "-", "--format", "txt", "--quiet")
    assert code == 0
    assert set(shown) == set(" ▀▄█\r\n")
