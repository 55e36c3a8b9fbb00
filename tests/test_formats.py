"""The kinds of files that digits are written to."""

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
from mnistgen.output import animation, formats, images
from mnistgen.provenance import Record

ALL = list(formats.LAYOUT)
DIGITS = np.arange(13 * 784, dtype=np.uint32).astype(np.uint8).reshape(13, 28, 28)
SVG = "{http://www.w3.org/2000/svg}"


def record(kind, **changes):
    facts = {
        "mnistgen": "0.1.0", "model": "cgan", "sha256": "0" * 64, "provider": "CPUExecutionProvider", "seed": 1,
        "start": 0, "n": 13, "digits": tuple(i % 10 for i in range(13)), "text": None, "format": kind, "scale": 2,
        "columns": 5, "invert": False,
    }  # fmt: skip
    return Record(**facts | changes)


def frames_of(content):
    with Image.open(io.BytesIO(content)) as file:
        return np.stack([np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(file)]), file.info


def rasterised(svg):
    """The rectangles of an SVG, painted one after the other; its own unit is a pixel."""
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
def test_a_png_is_the_grid_enlarged(invert):
    (picture,), _ = frames_of(formats.encode(DIGITS, record("png", invert=invert)))
    grid = images.grid(DIGITS, 2, 5)
    np.testing.assert_array_equal(picture, 255 - grid if invert else grid)


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("invert", [False, True])
def test_a_gif_and_a_webp_show_one_digit_a_frame_for_ever(kind, invert):
    frames, info = frames_of(formats.encode(DIGITS, record(kind, invert=invert)))
    shown = 255 - DIGITS if invert else DIGITS
    np.testing.assert_array_equal(frames, shown.repeat(2, 1).repeat(2, 2))
    assert (info["loop"], info["duration"]) == (0, formats.MILLISECONDS)


def test_a_webp_of_one_digit_is_a_still():
    with Image.open(io.BytesIO(formats.encode(DIGITS[:1], record("webp", n=1, digits=(0,))))) as file:
        assert (file.n_frames, file.is_animated) == (1, False)
        np.testing.assert_array_equal(np.asarray(file.convert("L"))[::2, ::2], DIGITS[0])


def test_npy_and_npz_hold_the_digits_as_they_are():
    np.testing.assert_array_equal(np.load(io.BytesIO(formats.encode(DIGITS, record("npy")))), DIGITS)
    arrays = np.load(io.BytesIO(formats.encode(DIGITS, record("npz", invert=True))))
    np.testing.assert_array_equal(arrays["images"], 255 - DIGITS)
    assert arrays["digits"].tolist() == list(record("npz").digits)
    assert str(arrays["mnistgen"]) == record("npz", invert=True).to_json()
    without = np.load(io.BytesIO(formats.encode(DIGITS, record("npz", digits=None), metadata=False)))
    assert without.files == ["images"]


@pytest.mark.parametrize("invert", [False, True])
def test_an_svg_paints_the_same_picture_in_runs(invert):
    digits = np.concatenate([DIGITS[:6], DIGITS[:6] // 86 * 100])  # the latter in long runs
    svg = formats.encode(digits, record("svg", n=12, invert=invert))
    picture, size = rasterised(svg)
    grid = images.grid(digits, 1, 5)
    np.testing.assert_array_equal(picture, 255 - grid if invert else grid)
    assert size == (2 * 140, 2 * 84)
    assert b"<image" not in svg


def test_a_txt_shows_ink_in_blocks_of_two_pixels():
    picture = np.zeros((1, 28, 28), dtype=np.uint8)
    picture[0, 0, 1] = picture[0, 1, 2] = 255
    picture[0, :2, 3] = 128
    text = formats.encode(picture, record("txt", n=1)).decode()
    assert text == " ▀▄█\n" + "\n" * 13
    inverted = formats.encode(picture, record("txt", n=1, invert=True)).decode().splitlines()
    assert (inverted[0], inverted[1]) == ("█▄▀ " + "█" * 24, "█" * 28)


@pytest.mark.parametrize("kind", ALL)
def test_equal_arguments_give_equal_bytes(kind):
    assert formats.encode(DIGITS, record(kind)) == formats.encode(DIGITS, record(kind))


@pytest.mark.parametrize("kind", formats.CARRIERS)
def test_metadata_can_be_left_out(kind):
    said = formats.encode(DIGITS, record(kind))
    unsaid = formats.encode(DIGITS, record(kind), metadata=False)
    assert len(unsaid) < len(said)
    assert b"CPUExecutionProvider" not in unsaid


@pytest.mark.parametrize(("ending", "width"), [(".webp", 16_384), (".gif", 65_536)])
def test_frames_larger_than_their_format_are_refused(ending, width):
    frames = np.zeros((1, 1, width), dtype=np.uint8)
    assert animation.encode(frames[:, :, 1:], ending, 40)
    with pytest.raises(mnistgen.InputError, match=f"{width}×1 pixels are more than the {width - 1} that a"):
        animation.encode(frames, ending, 40)


@pytest.mark.parametrize("kind", ALL)
def test_the_command_takes_the_kind_from_the_name_or_the_format(run, folder, cgan, kind):
    assert run("--digit", "3,1", "--seed", "1", "--out", f"x.{kind.upper()}")[0] == 0
    assert run("--digit", "3,1", "--seed", "1", "--format", kind)[0] == 0
    assert sorted(os.listdir()) == [f"cgan-digits31-seed1.{kind}", f"x.{kind.upper()}"]
    first, second = ((folder / name).read_bytes() for name in os.listdir())
    assert first == second
    if kind == "npy":
        np.testing.assert_array_equal(np.load(f"x.{kind.upper()}"), cgan.generate(2, digit=[3, 1], seed=1))


def test_start_columns_and_invert_are_heeded(run, folder, cgan):
    options = ["--n", "3", "--digit", "7", "--seed", "1", "--start", "5", "--columns", "2", "--scale", "1", "--invert"]
    assert run(*options)[0] == 0
    with Image.open("cgan-digit7-n3-seed1-start5.png") as file:
        expected = images.grid(cgan.generate(3, digit=7, seed=1, start=5), columns=2)
        np.testing.assert_array_equal(np.asarray(file), 255 - expected)


def test_without_digits_the_images_from_start_on_are_those_of_the_api(run, folder, cgan):
    assert run("--n", "12", "--seed", "1", "--start", "7", "--format", "npy", "--out", "x.npy")[0] == 0
    np.testing.assert_array_equal(np.load("x.npy"), cgan.generate(12, seed=1, start=7))


def piped(folder, *arguments, **options):
    started = cli_command("--seed", "1", "--digit", "5", *arguments, name="mnistgen-run")
    return subprocess.run(started, cwd=folder, check=False, **options)


def test_a_dash_sends_the_file_into_a_pipe_and_the_facts_to_stderr(folder, run):
    run("--seed", "1", "--digit", "5")
    (folder / "cgan-digit5-seed1.png").rename(folder.parent / "x.png")
    done = piped(folder, "--out", "-", "--device", "cpu", capture_output=True)
    assert done.returncode == 0
    assert done.stdout == (folder.parent / "x.png").read_bytes()
    assert done.stderr == b"-  seed 1  CPUExecutionProvider\n"
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
def test_a_closed_pipe_or_output_ends_the_command_without_a_traceback(folder):
    reader, writer = os.pipe()
    os.close(reader)
    broken = piped(folder, "--out", "-", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (broken.returncode, broken.stderr) == (1, b"")
    closed = ["sh", "-c", '"$@" >&-', "sh", *cli_command("--out", "-", name="mnistgen-run")]
    done = subprocess.run(closed, cwd=folder, capture_output=True, check=False)
    told = b"mnistgen-run: The standard output is closed: name a file with --out.\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full_gets_one_sentence_and_stays_a_device(folder, run):
    assert run("--format", "png", "--out", "/dev/full") == (
        1,
        "",
        "mnistgen-run: /dev/full cannot be written (No space left on device): name another file with --out.\n",
    )
    assert Path("/dev/full").is_char_device()


@needs_terminal
def test_a_terminal_is_shown_text_and_refused_the_rest(folder):
    code, shown = run_in_terminal("run", "--out", "-")
    assert code == 2
    assert shown.startswith("mnistgen: A terminal cannot show this kind of file")
    code, shown = run_in_terminal("run", "--digit", "5", "--out", "-", "--format", "txt", "--quiet")
    assert code == 0
    assert set(shown) == set(" ▀▄█\r\n")
