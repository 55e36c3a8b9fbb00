"""Every example in the docs, the help texts and the docstrings works."""

import ast
import doctest
import io
import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import sybil
from conftest import ROOT
from doc_commands import COMMANDS, STUBS, main_of, run_shell
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

import mnistgen
from mnistgen.cli import group

NODE = shutil.which("node")
WEB = ROOT / "web"
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="needs Bash")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "RELEASING.md",
    ROOT / "web" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "artifacts").rglob("*.md")),
]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
LANGUAGES = {"sh", "console", "python", "py", "js", "json", "html", "text"}
"""Languages of fences: `sh` is run, `console` is only checked because it takes long, `text` is neither.

`py` is Python that needs a server; tests/test_serving_examples.py runs it.
"""
COMMAND = re.compile(rf"(\S*/)?({'|'.join([*COMMANDS, *STUBS])}) [^…]*")
HELP_EXAMPLE = re.compile(r"^ +((?:mnistgen|python)\S* .*?)(?:  |$)", re.MULTILINE)
"""A command in a help text, without the description after two spaces."""
ARRAY = re.compile(r"# (u?int\d+|float\d+) \(([^()]*)\)")
"""A comment that describes an array, such as `# uint8 (3, 28, 28)` or `# uint8 (28, width)`."""
FASTER = {"60_000": "60", "70_000, test=10_000": "70, test=10", "1_000_000": "2_000"}
"""Replacements in Python examples that otherwise take a minute."""


def module_name(path: Path) -> str:
    relative = path.relative_to(ROOT / "runtime" if path.is_relative_to(ROOT / "runtime") else ROOT)
    return ".".join(relative.with_suffix("").parts).removesuffix(".__init__").removesuffix(".__main__")


DEVELOPER_MODULES = [
    module_name(path)
    for package in ("training", "export")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "    main()\n" in path.read_text(encoding="utf-8").partition('if __name__ == "__main__"')[2]
]
DOCTEST_MODULES = [
    module_name(path) for path in sorted((ROOT / "runtime").rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")
]


def fences(page: Path, language: str = ".*") -> list[sybil.Region]:
    return list(FencedCodeBlockLexer(language)(sybil.Document(page.read_text(encoding="utf-8"), str(page))))


def prose(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    for fence in reversed(fences(page)):
        text = text[: fence.start] + text[fence.end :]
    return text


def spans(page: Path) -> list[str]:
    """Return the inline code of a page."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(page))


def shorten(code: str) -> str:
    for number, smaller in FASTER.items():
        code = code.replace(number, smaller)
    return code


def run_python(example: sybil.Example) -> None:
    """Run a block in the page's namespace; compare arrays with the comments that describe them."""
    code = "\n" * example.line + shorten(example.parsed)  # keeps line numbers in tracebacks
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        comment = ARRAY.search(lines[statement.end_lineno - 1])
        if comment and isinstance(statement, ast.Expr):
            statement = ast.copy_location(ast.Assign([ast.Name("_", ast.Store())], statement.value), statement)
        module = ast.fix_missing_locations(ast.Module([statement], []))
        exec(compile(module, example.path, "exec"), example.namespace)
        if comment:
            value = example.namespace[statement.targets[0].id]
            expected = [int(size) if size.isdecimal() else None for size in re.findall(r"\w+", comment[2])]
            shape = [expect and size for expect, size in zip(expected, value.shape, strict=True)]
            assert (str(value.dtype), shape) == (comment[1], expected)


@each_page
def test_code_is_in_known_fences(page):
    markdown = pytest.importorskip("markdown")
    assert {fence.lexemes["language"] for fence in fences(page)} <= LANGUAGES
    assert "<pre><code>" not in markdown.markdown(prose(page)), "indented code"
    text = [line for fence in fences(page, "text") for line in fence.lexemes["source"].splitlines()]
    assert [line for line in text if COMMAND.fullmatch(line)] == []


@needs_shell
@each_page
def test_examples_of_page_work_in_order(page, folder):
    if page.name == "scale.md":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    evaluators = {
        "python": run_python,
        "sh": lambda example: run_shell(example.parsed, folder),
        "console": lambda example: run_shell(re.sub(r"^\$ ", "", example.parsed, flags=re.M), folder, dry=True),
        "json": lambda example: json.loads(example.parsed) and None,
    }
    parsers = [CodeBlockParser(language, evaluator) for language, evaluator in evaluators.items()]
    document = sybil.Sybil(parsers).parse(page)
    document.namespace["__name__"] = "__main__"
    for example in document.examples():
        example.evaluate()


@needs_shell
@each_page
def test_commands_in_prose_parse(page, folder):
    names = {f"mnistgen {name}" for name in group.COMMANDS}  # not whole command lines
    commands = [span for span in spans(page) if COMMAND.fullmatch(span) and span not in names]
    run_shell("\n".join(commands), folder, dry=True)


@needs_shell
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
        "node web/examples/draw.js --digits 5",
        "npm ci --prefix examples",
        "git push",
        "make demo && frobnicate",
        "frobnicate",
        "false | true",
    ],
)
def test_wrong_command_fails(line, folder):
    with pytest.raises((AssertionError, ModuleNotFoundError)):
        run_shell(line, folder)


@pytest.mark.skipif(not NODE, reason="needs Node.js 20.16 or newer")
@pytest.mark.parametrize("page", [page for page in PAGES if fences(page, "js")], ids=lambda page: page.name)
def test_javascript_of_page_works(page, tmp_path):
    """It runs as in a project that installed the package, if `make web` has built it; else Node.js only parses it."""
    runs = (WEB / "models").is_dir() and (WEB / "node_modules").is_dir()
    (tmp_path / "node_modules").mkdir()
    for name, target in {"mnistgen": WEB, "onnxruntime-node": WEB / "node_modules" / "onnxruntime-node"}.items():
        (tmp_path / "node_modules" / name).symlink_to(target)
    for fence in fences(page, "js"):
        script = tmp_path / "block.mjs"
        script.write_text(fence.lexemes["source"])
        command = [NODE, *([] if runs else ["--check"]), script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


@needs_shell
@pytest.mark.parametrize("name", group.COMMANDS)
def test_help_examples_work(name, folder):
    examples = HELP_EXAMPLE.findall(COMMANDS["mnistgen"].get_command(None, name).help)
    assert examples
    if name in ("demo", "serve"):  # they serve until Ctrl-C
        run_shell("\n".join(examples), folder, dry=True)
        return
    (folder / ".config" / "fish" / "completions").mkdir(parents=True)
    inputs = ["--digit 5 --seed 7", "--out digits.npz", "--n 10 --out digits.gif"]  # read by some examples
    run_shell("\n".join([*(f"mnistgen-run {options}" for options in inputs), *examples]), folder)


@needs_shell
@pytest.mark.parametrize("module", DEVELOPER_MODULES)
def test_developer_help_examples_parse(module, folder):
    pytest.importorskip("torch")
    run_shell("\n".join(HELP_EXAMPLE.findall(main_of(module).help)), folder, dry=True)


def test_options_in_prose_exist():
    pytest.importorskip("torch")
    commands = [COMMANDS["mnistgen"].get_command(None, name) for name in group.COMMANDS]
    commands += [main_of(module) for module in DEVELOPER_MODULES]
    known = {"--help"} | {
        option for command in commands for part in command.params for option in (*part.opts, *part.secondary_opts)
    }
    named = {span.split()[0] for page in PAGES for span in spans(page) if span.startswith("--")}
    assert len(named) > 20
    assert named - known == set()


class LenientChecker(doctest.OutputChecker):
    """Compare the output only if the docstring has one."""

    def check_output(self, want, got, optionflags):
        return not want or super().check_output(want, got, optionflags)


@pytest.mark.parametrize("module", DOCTEST_MODULES)
def test_docstring_examples_work(module, folder, cgan, monkeypatch):
    path = folder / "drawn.png"
    run_shell(f"mnistgen-run --seed 7 --out {path}", folder)
    names = {"mnistgen": mnistgen, "gen": cgan, "frames": cgan.generate(2), "path": path, "file": io.BytesIO()}
    for name in ("dataset", "doctor", "output.animation", "provenance"):
        names[name.rpartition(".")[2]] = import_module(f"mnistgen.{name}")
    runner, report = doctest.DocTestRunner(LenientChecker(), verbose=False), []
    for test in doctest.DocTestFinder().find(import_module(module), extraglobs=names):
        if any("torchvision" in example.source for example in test.examples):
            test.globs["torchvision"] = pytest.importorskip("torchvision")
        for example in test.examples:
            example.source = shorten(example.source)
        (folder / test.name).mkdir()
        monkeypatch.chdir(folder / test.name)
        Path("mine.onnx").symlink_to(ROOT / "artifacts" / "cgan.onnx")
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 0
    assert report == []
