"""`mnistgen walk` and `mnistgen manifold`: animations, sheets and pictures."""

import json
import os
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageSequence
from subprocess_helpers import needs_file_size_limit, run_with_file_size_limit

import mnistgen
from mnistgen.cli import group
from mnistgen.cli import manifold as manifold_command
from mnistgen.cli import walk as walk_command
from mnistgen.output import animation

TENTHS = np.arange(11)[:, None] / 10


@pytest.fixture
def walk(run):
    """Call `mnistgen walk`."""
    return partial(run, command=walk_command.command)


@pytest.fixture
def manifold(run):
    """Call `mnistgen manifold`."""
    return partial(run, command=manifold_command.command)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def frames_of(path):
    """Return the times in milliseconds and the frames (n, height, width) of an animation."""
    with Image.open(path) as image:
        # A WebP frame has its time only after it is decoded.
        frames = [(np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    return [time for _, time in frames], np.array([picture for picture, _ in frames])


@pytest.mark.parametrize("ending", ["gif", "webp"])
@pytest.mark.parametrize("loop", [False, True])
def test_animation_shows_walk_exactly(walk, folder, cgan, ending, loop):
    options = ["--loop"] if loop else []
    code, out, err = walk(
        "--seeds", "1-3", "--digits", "3,8", "--frames", "5", "--scale", "3", "--milliseconds", "50",
        "--device", "cpu", "--out", f"x.{ending}", *options,
    )  # fmt: skip
    frames = 15 if loop else 11
    assert (code, out, err) == (0, f"x.{ending}  {frames} frames  seeds 1,2,3  CPUExecutionProvider\n", "")
    times, shown = frames_of(f"x.{ending}")
    assert times == [50] * frames
    drawn = cgan.walk(seeds=[1, 2, 3], digits=[3, 8], frames=5, loop=loop)
    np.testing.assert_array_equal(shown, drawn.array.repeat(3, 1).repeat(3, 2))
    with Image.open(f"x.{ending}") as image:
        assert image.info.get("loop") == (0 if loop else 1 if ending == "webp" else None)


@pytest.mark.parametrize("loop", [False, True])
def test_sheet_has_row_per_leg(walk, folder, loop):
    options = ["--loop"] if loop else []
    seeds = ["--model", "gan", "--seeds", "1,2,3", "--frames", "4"]
    assert walk(*seeds, "--format", "png", *options)[0] == 0
    name = f"gan-walk-seeds1-2-3-frames4{'-loop' if loop else ''}.png"
    assert os.listdir() == [name]
    rows = 3 if loop else 2
    sheet = pixels(name)[::2, ::2]
    assert sheet.shape == (28 * rows, 28 * 5)
    drawn = mnistgen.load("gan", device="cpu").walk(seeds=[1, 2, 3, 1], frames=4)
    for row in range(rows):
        leg = np.concatenate(list(drawn[4 * row : 4 * row + 5]), axis=1)
        np.testing.assert_array_equal(sheet[28 * row : 28 * row + 28], leg)


@pytest.mark.parametrize(
    ("arguments", "seeds", "digits", "name"),
    [
        (["--seeds", "7"], [7] * 10, [*range(10)], "cgan-walk-digits0123456789-seed7-frames1.gif"),
        (["--seeds", "7,9"], [7, 9], [0, 0], "cgan-walk-digit0-seeds7-9-frames1.gif"),
        (["--seeds", "1-3", "--digits", "3,8"], [1, 2, 3], [3, 8, 3], "cgan-walk-digits38-seeds1-2-3-frames1.gif"),
        (["--seeds", "1-3, 7-8", "--digits", "5"], [1, 2, 3, 7, 8], [5] * 5,
         "cgan-walk-digit5-seeds1-2-3-7-etc-frames1.gif"),
        (["--seeds", "4", "--digits", "0-9,0", "--loop"], [4] * 11, [*range(10), 0],
         "cgan-walk-digits0123456789etc-seed4-frames1-loop.gif"),
        (["--model", "vae", "--seeds", "1,2", "--format", "webp"], [1, 2], None, "vae-walk-seeds1-2-frames1.webp"),
    ],
)  # fmt: skip
def test_default_name_and_json(walk, folder, arguments, seeds, digits, name):
    code, out, _ = walk(*arguments, "--frames", "1", "--scale", "1", "--device", "cpu", "--json")
    assert (code, os.listdir()) == (0, [name])
    assert json.loads(out) == {
        "path": name, "model": name.split("-")[0], "seeds": seeds, "digits": digits, "frames": len(seeds),
        "loop": "--loop" in arguments, "milliseconds": 40, "provider": "CPUExecutionProvider",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "seeds", "digits"),
    [
        ([], 1, [*range(10)]),
        (["--digits", "3,8"], 1, [3, 8]),
        (["--digits", "5"], 4, [5] * 4),
        (["--model", "vae"], 4, None),
    ],
)
def test_random_seeds_are_reported(walk, folder, arguments, seeds, digits):
    options = [*arguments, "--frames", "1", "--scale", "1", "--out", "x.gif"]
    first, second = (json.loads(walk(*options, "--json")[1]) for _ in range(2))
    assert first["digits"] == digits
    assert len(set(first["seeds"])) == seeds
    assert first["seeds"] != second["seeds"]


def test_quiet_prints_nothing(walk, folder):
    assert walk("--seeds", "1,2", "--model", "vae", "--frames", "2", "--quiet") == (0, "", "")
    assert os.listdir() == ["vae-walk-seeds1-2-frames2.gif"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--seeds", "7", "--digits", "5"], 2, "1 stop; expected at least 2"),
        (["--model", "vae", "--seeds", "7"], 2, "1 stop; expected at least 2"),
        (["--model", "gan", "--digits", "3,8"], 2, "The gan is unconditional"),
        (["--model", "dcgan"], 2, "'dcgan'; expected one of vae, gan, cgan"),
        (["--seeds", "1,two"], 2, "'two' is not a seed; expected an integer from 0 to 18446744073709551615"),
        (["--seeds", "-1"], 2, "'-1' is not a seed"),
        (["--seeds", ""], 2, "'' is not a seed"),
        (["--seeds", "1,,2"], 2, "'' is not a seed"),
        (["--seeds", "5-1"], 2, "'5-1' is not a seed"),
        (["--seeds", f"1,{2**64}"], 2, "is not a seed"),
        (["--seeds", f"1,{'9' * 5000}"], 2, "is not a seed"),
        (["--seeds", f"0-{2**64 - 1}"], 2, "expected at most 1000"),
        (["--seeds", "1-600,1-401"], 2, "'1-600,1-401' has too many values"),
        (["--digits", "3,10"], 2, "'10' is not a digit"),
        (["--frames", "0"], 2, "0 is not in the range 1<=x<=1000"),
        (["--frames", "-4"], 2, "-4 is not in the range"),
        (["--frames", "1001"], 2, "1001 is not in the range"),
        (["--frames", "many"], 2, "'many' is not a valid integer range"),
        (["--frames", "200"], 2, "1801 frames; expected at most 1000"),
        (["--frames", "100", "--scale", "64"], 2, "901 frames at scale 64 has"),
        (
            ["--seeds", "1-1000", "--frames", "1", "--scale", "9", "--out", "x.png"],  # a sheet repeats most stops
            2,
            "1000 frames at scale 9 has",
        ),
        (["--milliseconds", "10"], 2, "10 is not in the range x>=20"),
        (["--milliseconds", "25"], 2, "25; expected a multiple of 10"),
        (["--milliseconds", "100000"], 2, "21700000 ms; expected at most 600000"),
        (["--milliseconds", "9" * 40, "--format", "webp"], 2, "expected at most 600000"),
        (["--milliseconds", "40", "--format", "png"], 2, "--milliseconds is 40 for a png"),
        (["--scale", "0"], 2, "0 is not in the range"),
        (["--device", "tpu"], 2, "'tpu'; expected one of auto, cpu, gpu"),
        (["--format", "mp4"], 2, "'mp4' is not one of 'gif', 'webp', 'png'"),
        (["--out", "x.mp4"], 2, "x.mp4; expected"),
        (["--out", "x"], 2, "x; expected a name that ends in .gif, .webp or .png"),
        (["--out", "x.gif", "--format", "png"], 2, "x.gif; expected a name that ends in .png"),
        (["--out", "missing/x.gif"], 1, "The folder missing does not exist"),
        (["--out", f"{'x' * 300}/x.gif"], 1, "cannot be written (File name too long)"),
        (["--out", f"{'x' * 300}.gif", "--frames", "1"], 1, "cannot be written (File name too long)"),
        (["--out", "."], 2, "is a directory"),
        (["--speed", "2"], 2, "No such option"),
        (["5"], 2, "unexpected extra argument"),
    ],
)
def test_invalid_walk_leaves_no_file(walk, folder, arguments, code, words):
    got, out, err = walk(*arguments)
    assert (got, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_equal_frames_keep_total_time(walk, folder):
    assert walk("--seeds", "1,1", "--digits", "5", "--frames", "9", "--milliseconds", "60000", "--scale", "1")[0] == 0
    times, shown = frames_of("cgan-walk-digit5-seeds1-1-frames9.gif")
    assert (sum(times), len(shown)) == (600_000, 1)


def test_webp_accepts_any_milliseconds(walk, folder):
    assert walk("--seeds", "1,2", "--frames", "2", "--milliseconds", "33", "--scale", "1", "--out", "x.webp")[0] == 0
    assert frames_of("x.webp")[0] == [33, 33, 33]


@needs_file_size_limit
def test_full_disk_keeps_former_file(folder):
    (folder / "x.gif").write_bytes(b"former")
    done = run_with_file_size_limit(100, "walk", "--frames", "1", "--out", "x.gif")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mnistgen: x.gif cannot be written (File too large).")
    assert os.listdir() == ["x.gif"]
    assert (folder / "x.gif").read_bytes() == b"former"


def test_interruption_leaves_no_file(walk, folder, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(animation, "encode", interrupt)
    code, out, err = walk("--frames", "1")
    assert (code, out, err) == (130, "", "\nmnistgen-run: Interrupted.\n")
    assert os.listdir() == []


def test_missing_pillow_is_reported(walk, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    code, _, err = walk("--model", "vae", "--frames", "1")
    assert (code, err) == (1, "mnistgen-run: Pillow is not installed. Run pip install pillow.\n")
    assert os.listdir() == []


def test_damaged_model_leaves_no_file(walk, manifold, artifacts, folder):
    (artifacts / "vae.onnx").write_bytes(b"damaged")
    for command in (partial(walk, "--model", "vae"), manifold):
        code, out, err = command()
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "vae.onnx" in err
    assert os.listdir() == []


def test_manifold_is_written_as_png(manifold, folder):
    code, out, err = manifold("--side", "4", "--device", "cpu")
    assert (code, out, err) == (0, "vae-manifold4.png  4 × 4 digits  CPUExecutionProvider\n", "")
    picture = pixels("vae-manifold4.png")
    assert picture.shape == (224, 224)
    drawn = mnistgen.load("vae", device="cpu").manifold(4)
    rows = [np.concatenate(list(row), axis=1) for row in drawn.reshape(4, 4, 28, 28)]
    np.testing.assert_array_equal(picture[::2, ::2], np.concatenate(rows))


def test_manifold_json_and_quiet(manifold, folder):
    _, out, _ = manifold("--side", "2", "--device", "cpu", "--out", "x.png", "--json")
    assert json.loads(out) == {"path": "x.png", "model": "vae", "side": 2, "provider": "CPUExecutionProvider"}
    assert manifold("--side", "2", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "gan"], 2, "The gan has 100 latent dimensions"),
        (["--model", "cgan-int8"], 2, "The cgan-int8 has 128 latent dimensions"),
        (["--model", "vqvae"], 2, "'vqvae'"),
        (["--side", "0"], 2, "0 is not in the range 1<=x<=100"),
        (["--side", "101"], 2, "101 is not in the range"),
        (["--side", "100", "--scale", "8"], 2, "100 × 100 digits at scale 8 has"),
        (["--out", "x.gif"], 2, "x.gif; expected a name that ends in .png"),
        (["--out", "missing/x.png"], 1, "The folder missing does not exist"),
        (["--device", "tpu"], 2, "'tpu'"),
    ],
)
def test_invalid_manifold_leaves_no_file(manifold, folder, arguments, code, words):
    got, out, err = manifold(*arguments)
    assert (got, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == []


@pytest.mark.parametrize("name", ["walk", "manifold"])
def test_help_shows_options_and_examples(run, name):
    code, out, _ = run(name, "--help", command=group.mnistgen)
    assert code == 0
    assert f"mnistgen {name} --" in out
    for option in {"walk": walk_command, "manifold": manifold_command}[name].command.params:
        assert option.opts[0] in out
        assert option.help
