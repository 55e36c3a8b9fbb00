"""`mnistgen` and `mnistgen-run`: pictures, and one line for every error (contract C6)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import MODELS, ROOT
from PIL import Image
from subprocess_helpers import (
    cli_command,
    needs_file_size_limit,
    needs_terminal,
    run_in_terminal,
    run_python,
    run_with_file_size_limit,
)

import mnistgen
from mnistgen import cli
from mnistgen.cli import group
from mnistgen.cli import run as run_command


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_digit_is_written_as_scaled_png(run, folder, cgan):
    code, out, err = run("--model", "cgan", "--digit", "5", "--seed", "42", "--device", "cpu")
    assert (code, out, err) == (0, "cgan-digit5-seed42.png  seed 42  CPUExecutionProvider\n", "")
    picture = pixels("cgan-digit5-seed42.png")
    assert picture.shape == (224, 224)
    np.testing.assert_array_equal(picture[::8, ::8], cgan.generate(digit=5, seed=42)[0])
    np.testing.assert_array_equal(picture, picture[::8, ::8].repeat(8, 0).repeat(8, 1))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_draws(run, folder, name):
    code, _, _ = run("--model", name, "--n", "12", "--seed", "1", "--scale", "1", "--out", "drawn.png")
    assert code == 0
    assert pixels("drawn.png").shape == (56, 280)


@pytest.mark.parametrize(
    ("arguments", "digits", "name"),
    [
        (["--digit", "3,1,4"], [3, 1, 4], "cgan-digits314-seed7.png"),
        (["--digit", "0-9"], list(range(10)), "cgan-digits0123456789-seed7.png"),
        (["--digit", "7,0-2"], [7, 0, 1, 2], "cgan-digits7012-seed7.png"),
        (["--digit", "5", "--n", "3"], [5, 5, 5], "cgan-digit5-n3-seed7.png"),
        (["--digit", "1,2", "--n", "5"], [1, 2, 1, 2, 1], "cgan-digits12-n5-seed7.png"),
        ([], [0], "cgan-digit0-seed7.png"),
        (["--n", "3"], [0, 1, 2], "cgan-digits012-seed7.png"),
        (["--n", "12"], [*range(10), 0, 1], "cgan-digits0123456789-n12-seed7.png"),
        (["--digit", "0-9,0-9"], [*range(10), *range(10)], "cgan-digits0123456789etc-seed7.png"),
    ],
)
def test_several_digits_make_one_grid(run, folder, cgan, arguments, digits, name):
    code, _, _ = run(*arguments, "--seed", "7", "--scale", "1")
    assert (code, os.listdir()) == (0, [name])
    picture = pixels(name)
    drawn = cgan.generate(len(digits), digit=digits, seed=7)
    for i, digit in enumerate(drawn):
        row, column = divmod(i, 10)
        np.testing.assert_array_equal(picture[28 * row :, 28 * column :][:28, :28], digit)


def test_random_seed_is_reported(run, folder):
    seeds = set()
    for _ in range(3):
        _, out, _ = run("--json", "--scale", "1")
        facts = json.loads(out)
        assert str(facts["seed"]) in facts["path"]
        seeds.add(facts["seed"])
    assert len(seeds) == len(os.listdir()) == 3


def test_json_output(run, folder):
    _, out, _ = run("--digit", "3,1", "--seed", "1", "--device", "cpu", "--out", "x.png", "--json")
    assert json.loads(out) == {
        "path": "x.png", "model": "cgan", "n": 2, "digits": [3, 1], "seed": 1, "provider": "CPUExecutionProvider",
    }  # fmt: skip


def test_quiet_prints_nothing(run, folder):
    assert run("--seed", "1", "--quiet") == (0, "", "")
    assert os.listdir() == ["cgan-digit0-seed1.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--digit", "10"], 2, "'10' is not a digit; expected an integer from 0 to 9"),
        (["--digit", "five"], 2, "'five' is not a digit"),
        (["--digit", "9-0"], 2, "'9-0' is not a digit"),
        (["--digit", ""], 2, "'' is not a digit"),
        (["--model", "dcgan"], 2, "'dcgan'; expected one of vae, gan, cgan"),
        (["--model", "gan", "--digit", "5"], 2, "The gan is unconditional. Use --model cgan"),
        (["--model", "vae", "--digit", "5"], 2, "The vae is unconditional"),
        (["--n", "0"], 2, "0 is not in the range 1<=x<=1000"),
        (["--n", "-4"], 2, "-4 is not in the range"),
        (["--n", "many"], 2, "'many' is not a valid integer range"),
        (["--n", "1001"], 2, "1001 is not in the range"),
        (["--seed", "-1"], 2, "-1 is not in the range"),
        (["--seed", str(2**64)], 2, "is not in the range 0<=x<=18446744073709551615"),
        (["--seed", "1.5"], 2, "'1.5' is not a valid integer"),
        (["--scale", "0"], 2, "0 is not in the range"),
        (["--n", "1000", "--scale", "64"], 2, "at scale 64 has 3211264000 pixels; expected at most 89000000"),
        (["--digit", ",".join(["0-9"] * 101)], 2, "1010; expected at most 1000"),
        (["--device", "tpu"], 2, "'tpu'; expected one of auto, cpu, gpu"),
        (["--out", "missing/x.png"], 1, "The folder missing does not exist"),
        (["--out", "x.bmp"], 2, "x.bmp; expected a name that ends in .png, .jpg, .gif"),
        (["--out", "x"], 2, "x; expected a name that ends in .png"),
        (["--out", "x.gif", "--format", "png"], 2, "x.gif; expected a name that ends in .png"),
        (["--format", "bmp"], 2, "'bmp' is not one of 'png', 'jpg', 'gif', 'webp', 'npy', 'npz', 'svg', 'txt'"),
        (["--format", "npy", "--scale", "2"], 2, "--scale has no effect on a npy"),
        (["--format", "gif", "--columns", "2"], 2, "--columns has no effect on a gif"),
        (["--columns", "0"], 2, "0 is not in the range"),
        (["--columns", "1001"], 2, "1001 is not in the range"),
        (["--n", "501", "--columns", "500", "--scale", "12"], 2, "at most 89000000"),
        (["--start", "-1"], 2, "-1 is not in the range"),
        (["--start", str(2**63)], 2, "is not in the range"),
        (["--model-path", "missing.onnx"], 2, "'missing.onnx' does not exist"),
        (["--model", "vae", "--model-path", __file__], 2, "Leave out one of them"),
        (["--out", "."], 2, "is a directory"),
        (["--out", f"{'x' * 300}.png"], 1, "cannot be written (File name too long)"),
        (["--out", f"{'x' * 300}/x.png"], 1, "cannot be written (File name too long)"),
        (["--colour", "red"], 2, "No such option"),
        (["5"], 2, "unexpected extra argument"),
    ],
)
def test_invalid_options_leave_no_file(run, folder, arguments, code, words):
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert err.startswith("mnistgen-run: ")
    assert words in err
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_damaged_model_leaves_no_file(run, artifacts, folder):
    (artifacts / "cgan.onnx").write_bytes(b"damaged")
    code, out, err = run("--digit", "5")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "cgan.onnx" in err
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_symbolic_link_is_kept(run, folder):
    (folder / "pictures").mkdir()
    (folder / "pictures" / "real.png").write_bytes(b"former")
    (folder / "link.png").symlink_to("pictures/real.png")
    assert run("--seed", "1", "--out", "link.png")[0] == 0
    assert (folder / "link.png").is_symlink()
    assert pixels("pictures/real.png").shape == (224, 224)
    assert os.listdir("pictures") == ["real.png"]


@needs_file_size_limit
def test_full_disk_keeps_former_file(folder):
    (folder / "x.png").write_bytes(b"former")
    done = run_with_file_size_limit(100, "--out", "x.png", name="mnistgen-run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mnistgen-run: x.png cannot be written (File too large).")
    assert os.listdir() == ["x.png"]
    assert (folder / "x.png").read_bytes() == b"former"


def test_interruption_is_reported(run, folder, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "Generator", interrupt)
    code, out, err = run("--digit", "5")
    assert (code, out, err) == (130, "", "\nmnistgen-run: Interrupted.\n")
    assert os.listdir() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_stdout_is_reported():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(cli_command("models"), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "stdout cannot be written (No space left on device)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
def test_closed_stdout_is_accepted(folder):
    closed = ["sh", "-c", '"$@" >&-', "sh", *cli_command("--seed", "1", name="mnistgen-run")]
    done = subprocess.run(closed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir() == ["cgan-digit0-seed1.png"]


def test_models_lists_available_models(run):
    code, out, _ = run("models", command=group.mnistgen)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(MODELS)
    assert ["digits 0 to 9" in line for line in out.splitlines()] == [False, False, True, True, False, False, True]
    _, out, _ = run("models", "--json", command=group.mnistgen)
    facts = json.loads(out)
    assert [facts[name]["latent_size"] for name in MODELS] == [2, 100, 128, 128, 2, 100, 128]


def test_single_digit_imports_few_modules(folder):
    code = (
        "import sys; from mnistgen.cli import run, shared\n"
        "assert shared.call(run.command, 'mnistgen-run', ['--model', 'cgan', '--digit', '5', '--quiet']) == 0\n"
        "print(*sorted(name for name in sys.modules if name.startswith('mnistgen')))\n"
        "print(*{'zipfile', 'xml', 'PIL', 'concurrent.futures'} & {*sys.modules})"
    )
    done = run_python(code)
    own, others = done.stdout.splitlines()
    needed = (
        "cli cli.failures cli.run cli.shared errors forking generator image inference inference.cpu inference.engine "
        "inference.onnx_scan inference.session interrupts latents manifest memory output output.files "
        "output.formats output.images output.limits output.png pictures provenance "
        "provenance.checks provenance.drawing provenance.reader provenance.records request validation"
    )
    assert own.split() == ["mnistgen", *(f"mnistgen.{name}" for name in needed.split())]
    assert others == ""


def test_run_command_equals_mnistgen_run(run, folder):
    assert run("run", "--digit", "5", "--seed", "1", command=group.mnistgen)[0] == 0
    assert os.listdir() == ["cgan-digit5-seed1.png"]


def test_help_shows_options_and_examples(run):
    assert "run" in run(command=group.mnistgen)[1]
    _, out, _ = run("--help")
    assert "mnistgen-run --model cgan --digit 5" in out
    for option in cli.run.command.params:
        assert option.opts[0] in out
        assert option.help


def test_command_list_shows_whole_sentences(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run("--help", command=group.mnistgen)
    listed = out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(group.COMMANDS)
    assert [line for line in listed if not re.fullmatch(r"  \w+ +[A-Z].*[^.]\.", line)] == []


@needs_terminal
def test_terminal_shows_preview(folder):
    code, shown = run_in_terminal("run", "--seed", "3", "--digit", "0")
    assert code == 0
    assert shown.count("\x1b[38;5;") == 28 * 14
    assert "cgan-digit0-seed3.png" in shown


@needs_terminal
def test_preview_respects_no_color(folder):
    _, shown = run_in_terminal("run", "--seed", "3", "--digit", "0", NO_COLOR="1")
    assert {"▀", "▄", "█"} <= set(shown)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["--digit", "12"], 2, "usage"),
        (["--model", "dcgan"], 2, "unknown-model"),
        (["--out", "missing/x.png"], 1, "folder-missing"),
        (["--modle", "vae"], 2, "usage"),
    ],
)
def test_json_failures(run, folder, arguments, exit_code, code):
    done, out, err = run(*arguments, "--json")
    assert (done, out, err.count("\n")) == (exit_code, "", 1)
    error = json.loads(err)["error"]
    assert error["code"] == code
    assert {*error} == {"code", "problem", "remedy"}
    assert error["problem"]


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--model", "vae", "--seed", "1"),
        ("walk", "--model", "vae", "--frames", "2"),
        ("manifold", "--side", "3"),
        ("dataset", "digits", "--model", "cgan-int8", "--n", "20"),
        ("bench", "--seconds", "0", "--batch", "1"),
        ("models",),
        ("doctor",),
    ],
    ids=lambda command: command[0],
)
def test_models_of_another_folder(call, folder, command):
    own = folder / "own"
    own.mkdir()
    manifest = json.loads((ROOT / "artifacts" / "manifest.json").read_text(encoding="utf-8"))
    manifest["models"] = {name: manifest["models"][name] for name in ("vae", "cgan-int8")}
    (own / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    for name in ("vae.onnx", "cgan-int8.onnx", "verifier.onnx"):
        shutil.copy(ROOT / "artifacts" / name, own)
    code, out, err = call(*command, "--artifacts", str(own))
    assert (code, err) == (0, "")
    assert "gan " not in out.replace("cgan ", "")
    for name in ("vae.onnx", "cgan-int8.onnx"):
        (own / name).unlink()
    code, out, err = call(*command, "--artifacts", str(own))
    assert code == (0 if command[0] == "models" else 1)


def test_model_path_excludes_a_folder(run, folder):
    code, _, err = run("--model-path", str(ROOT / "artifacts" / "vae.onnx"), "--artifacts", str(folder))
    assert (code, err.count("\n")) == (2, 1)
    assert "--artifacts has no effect" in err


def test_both_commands_tell_their_version(run):
    for command in (run_command.command, group.mnistgen):
        assert run("--version", command=command) == (0, f"mnistgen, version {mnistgen.__version__}\n", "")


def test_bench_measures_models_and_batches(run):
    arguments = ("--model", "vae", "--batch", "1", "--batch", "3", "--seconds", "0", "--threads", "1")
    code, out, err = run("bench", *arguments, command=group.mnistgen)
    assert (code, err) == (0, "")
    assert "1 threads" in out
    assert [line.split()[:2] for line in out.splitlines()[2:]] == [["vae", "1"], ["vae", "3"]]


def test_bench_json_output(run):
    code, out, _ = run("bench", "--batch", "2", "--seconds", "0", "--json", command=group.mnistgen)
    facts = json.loads(out)
    assert code == 0
    assert facts["threads"] >= 1
    assert [timing["model"] for timing in facts["timings"]] == list(MODELS)
    for timing in facts["timings"]:
        assert timing["images_per_second"] == pytest.approx(2e3 / timing["p50_ms"])
        assert timing["p95_ms"] >= timing["p50_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--batch", "0"), "0 is not in the range"),
        (("--threads", "0"), "0 is not in the range"),
        (("--model", "vqvae"), "'vqvae'; expected one of vae, gan, cgan"),
        (("--device", "tpu"), "'tpu'"),
    ],
)
def test_bench_rejects_invalid_options(run, arguments, words):
    code, out, err = run("bench", *arguments, command=group.mnistgen)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_shell_script(run, shell):
    code, out, err = run("completion", shell, command=group.mnistgen)
    assert (code, err) == (0, "")
    for variable in ("_MNISTGEN_COMPLETE", "_MNISTGEN_RUN_COMPLETE"):
        assert f"{variable}={shell}_complete" in out


@pytest.mark.parametrize(
    ("typed", "completed"), [("mnistgen wa", "plain,walk"), ("mnistgen walk --lo", "plain,--loop")]
)
def test_commands_and_options_are_completed(typed, completed):
    asked = {"_MNISTGEN_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(cli_command(), env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{completed}\n", "")


def test_usage_error_names_help_of_command(run):
    code, _, err = run("walk", "--frames", "0", command=group.mnistgen)
    assert code == 2
    assert err.endswith(" See mnistgen-run walk --help.\n")
