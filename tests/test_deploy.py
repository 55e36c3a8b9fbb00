"""The files in deploy/ call `mnistgen serve` with valid options, and name the packaged wheel."""

import configparser
import json
import re

from conftest import ROOT
from doc_commands import parse

from mnistgen.cli import group
from mnistgen.errors import install_command

UNIT = (ROOT / "deploy" / "mnistgen.service").read_text(encoding="utf-8")
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")


def test_unit_starts_the_server():
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str
    unit.read_string(UNIT)
    program, *options = unit["Service"]["ExecStart"].split()
    assert program == "/opt/mnistgen/bin/mnistgen"
    parse(group.mnistgen, options)
    assert unit["Service"]["DynamicUser"] == "yes"
    assert install_command("cpu,serve").removeprefix("pip ") in UNIT


def test_container_starts_the_server_without_root():
    instructions = re.findall(r"^([A-Z]+) (.+)$", CONTAINERFILE, re.MULTILINE)
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    assert {name for name, _ in instructions} == known
    last = dict(instructions)
    program, *options = json.loads(last["ENTRYPOINT"])
    assert program == "/opt/mnistgen/bin/mnistgen"
    parse(group.mnistgen, options)
    assert last["USER"] == "65532:65532"
    _, _, code = json.loads(last["HEALTHCHECK"].partition("CMD ")[2])
    compile(code, "healthcheck", "exec")
    assert install_command("cpu,serve").split("'")[1] in CONTAINERFILE
