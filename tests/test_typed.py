"""What the pages tell to type works as it stands there: shell, Python, JavaScript, and the examples of the help."""

import ast
import doctest
import io
import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import click
import pytest
import shell
from conftest import ROOT
from pages import LANGUAGES, PAGES, blocks, indented, lines, name, spans

import mnistgen
from mnistgen import cli
from mnistgen.cli import COMMANDS

needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
NODE = shutil.which("node")
JAVASCRIPT = ROOT / "examples" / "javascript"
PROGRAM = re.compile(rf"(\S*/)?({'|'.join([*shell.OWN, *shell.CHECKS])}) [^…]*")
"""A line as one types it."""
SMALLER = {"60_000": "60", "70_000, test=10_000": "70, test=10", "1_000_000": "2_000"}
"""Numbers of Python's examples that would take a minute, and those that stand in for them."""


def smaller(code: str) -> str:
    for number, other in SMALLER.items():
        code = code.replace(number, other)
    return code


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_whatever_can_be_typed_stands_in_a_fence_of_a_known_language(page):
    assert indented(page) == [], "lines that are indented where a fence is to be"
    assert [(block.line, block.language) for block in blocks(page) if block.language not in LANGUAGES] == []
    texts = [line for block in blocks(page) if block.language == "text" for line in block.text.splitlines()]
    assert [line for line in texts if PROGRAM.match(line)] == []


def test_what_stands_in_no_fence_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("- a list\n\n    of two\n\nText\n\n    make demo\n    make test\n\n```\n    fenced\n```\n")
    assert indented(page) == [7]
    assert [(block.line, block.language) for block in blocks(page)] == [(11, "")]


@needs_shell
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_tells_to_type_works_from_top_to_bottom(page, folder):
    environment = shell.set_up(folder)
    namespace = {"__name__": "__main__"}
    for block in blocks(page):
        match block.language:
            case "sh":
                type_into_shell(block, partial(shell.try_out, environment=environment))
            case "python":
                type_into_python(block, namespace)
            case "console":
                type_into_shell(block, shell.check)
            case "json":
                json.loads(block.text)


def type_into_shell(block, attempt):
    for place, line in lines(block):
        try:
            attempt(line)
        except (AssertionError, click.UsageError) as error:
            raise AssertionError(f"{place} does not work: {line}\n{error}") from error


@pytest.mark.parametrize(
    "line",
    [
        "make demos",
        "mnistgen-run --digits 5",
        "mnistgen walk --frames 0 | cat",
        "mnistgen dataset digits --n 70000 --tests 10000",
        "python -m training.vea",
        "python -m http.servers",
        "python tests/pages.md",
        "pip install -c constraint.txt '.[cpu]'",
        "pip install 'mnistgen[gup]'",
        "node examples/javascript/draw.mjs --digits 5",
        "npm ci --prefix examples",
        "git push",
        "make demo && frobnicate",
        "frobnicate",
        "false | true",
    ],
)
def test_a_line_that_would_not_work_is_noticed(line, folder):
    with pytest.raises((AssertionError, click.UsageError)):
        shell.try_out(line, dict(os.environ))


ARRAY = re.compile(r"# (u?int\d+|float\d+) \(([^()]*)\)")
"""A comment that tells what an array is, such as "# uint8 (3, 28, 28), ink 255" or "# uint8 (28, width)"."""


def type_into_python(block, namespace):
    """Run the block as if it were typed into the page's one session, and compare arrays with what comments tell."""
    code = smaller(block.text)
    for statement in ast.parse(code).body:
        told = ARRAY.search(code.splitlines()[statement.end_lineno - 1])
        value = execute(ast.increment_lineno(statement, block.line - 1), str(block.page), namespace)
        if told:
            assert value.dtype == told[1], told[0]
            shape = [int(size) if size.isdecimal() else None for size in re.findall(r"\w+", told[2])]
            assert [size and got for size, got in zip(shape, value.shape, strict=True)] == shape, told[0]


def execute(statement, file, namespace):
    """Execute one statement; the value of an expression, or what its variable is set to."""
    if isinstance(statement, ast.Expr):
        return eval(compile(ast.Expression(statement.value), file, "eval"), namespace)
    exec(compile(ast.Module([statement], []), file, "exec"), namespace)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return namespace[statement.targets[0].id]
    return None


@pytest.mark.skipif(not NODE, reason="needs Node.js 20.15 or newer")
@pytest.mark.parametrize("page", [page for page in PAGES if "```js\n" in page.read_text(encoding="utf-8")], ids=name)
def test_the_javascript_of_a_page_works(page, tmp_path):
    """It runs beside the example's modules where Node.js has onnxruntime-node, and is parsed where not."""
    runs = (JAVASCRIPT / "node_modules" / "onnxruntime-node").is_dir()
    for part in (*JAVASCRIPT.glob("*.mjs"), JAVASCRIPT / "node_modules", ROOT / "artifacts"):
        (tmp_path / part.name).symlink_to(part)
    address = f"globalThis.location = {{ href: {json.dumps(tmp_path.as_uri() + '/')} }};\n"  # as a browser has one
    for block in blocks(page):
        if block.language == "js":
            script = tmp_path / "block.mjs"
            script.write_text(address + block.text.replace('"onnxruntime-web"', '"onnxruntime-node"'))
            command = [NODE, "--preserve-symlinks", *([] if runs else ["--check"]), script]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            assert (done.returncode, done.stderr) == (0, "")


NAMES = {f"mnistgen {command}" for command in COMMANDS}
"""Commands as one speaks of them, which are no lines."""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_midst_of_a_sentence_could_be_typed(page):
    for span in spans(page):
        if PROGRAM.fullmatch(span) and span not in NAMES:
            shell.check(span)


EXAMPLE = re.compile(r"^ +((?:mnistgen|python)\S* .*?)(?:  |$)", re.MULTILINE)
"""A line of a command's help, without what it says behind two spaces."""


@needs_shell
@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_the_help_work(command, folder):
    environment = shell.set_up(folder)
    (folder / ".config" / "fish" / "completions").mkdir(parents=True)
    for options in ["--digit 5 --seed 7", "--out digits.npz", "--n 10 --out digits.gif"]:
        shell.try_out(f"mnistgen-run {options}", environment)
    examples = EXAMPLE.findall(shell.OWN["mnistgen"].get_command(None, command).help)
    assert examples
    for line in examples:
        shell.try_out(line, environment)


WORKSHOP = [
    f"{path.parent.name}.{path.stem}"
    for path in sorted(ROOT.glob("*/*.py"))
    if path.parent.name in ("training", "export") and "\n    main()\n" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WORKSHOP)
def test_the_examples_of_training_and_export_could_be_typed(module):
    pytest.importorskip("torch")
    for line in EXAMPLE.findall(import_module(module).main.help):
        shell.check(line)


def test_every_option_that_is_spoken_of_exists():
    pytest.importorskip("torch")
    commands = [cli.mnistgen.get_command(None, command) for command in COMMANDS]
    commands += [import_module(module).main for module in WORKSHOP]
    known = {"--help"} | {option for command in commands for part in command.params for option in part.opts}
    spoken = {span.split()[0] for page in PAGES for span in spans(page) if span.startswith("--")}
    assert len(spoken) > 20
    assert spoken - known == set()


class Told(doctest.OutputChecker):
    """What a docstring does not tell is not compared."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


WITH_USAGE = [
    path.relative_to(ROOT / "runtime").with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((ROOT / "runtime").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_USAGE)
def test_the_usage_that_docstrings_give_works(module, folder, cgan, monkeypatch):
    path = folder / "drawn.png"
    shell.run_own("mnistgen-run", "--seed", "7", "--out", str(path))
    given = {"mnistgen": mnistgen, "gen": cgan, "path": path, "file": io.BytesIO()}
    given |= {part: import_module(f"mnistgen.{part}") for part in ("animation", "dataset", "doctor", "provenance")}
    given |= {"frames": cgan.generate(2)}
    runner, report = doctest.DocTestRunner(Told()), []
    for test in doctest.DocTestFinder().find(import_module(module), extraglobs=given):
        if any("torchvision" in example.source for example in test.examples):
            test.globs["torchvision"] = pytest.importorskip("torchvision")
        for example in test.examples:
            example.source = smaller(example.source)
        (folder / test.name).mkdir()
        monkeypatch.chdir(folder / test.name)
        Path("mine.onnx").symlink_to(ROOT / "artifacts" / "cgan.onnx")
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert report == []
