"""`mnistgen doctor`: a code and a remedy for each fault, and success only if digits can be drawn."""

import hashlib
import json
import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from conftest import MODELS
from fakes import OnGpu, Runtime
from subprocess_helpers import cli_command, needs_terminal, run_in_terminal

import mnistgen
from mnistgen import doctor
from mnistgen.cli import group
from mnistgen.errors import install_command
from mnistgen.generator import Generator
from mnistgen.inference import cuda, session


@pytest.fixture(autouse=True)
def telemetry_disabled(monkeypatch):
    """Disable telemetry, as importing ONNX Runtime through mnistgen does."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture
def examine(artifacts):
    """Examine a copy of the artifacts with the VAE only; return the failed checks by code, and `able`."""
    manifest = json.loads((artifacts / "manifest.json").read_text())
    manifest["models"] = {"vae": manifest["models"]["vae"]}
    (artifacts / "manifest.json").write_text(json.dumps(manifest))

    def call():
        report = doctor.examine(artifacts)
        return {check.code: check for check in report.checks if check.level != doctor.OK}, report.able

    return call


def alter(folder, name, **facts):
    """Change facts about a model in the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["models"][name].update(facts)
    path.write_text(json.dumps(manifest))


def replace(folder, name, old, new, **facts):
    """Change bytes of a model's file and its SHA-256 in the manifest."""
    path = folder / f"{name}.onnx"
    content = path.read_bytes()
    assert content.count(old)
    content = content.replace(old, new)
    path.write_bytes(content)
    alter(folder, name, sha256=hashlib.sha256(content).hexdigest(), **facts)


def test_every_model_draws_a_digit(artifacts, monkeypatch):
    drawn = []
    original = Generator.generate
    monkeypatch.setattr(Generator, "generate", lambda self: drawn.append(self.model.name) or original(self))
    report = doctor.examine(artifacts)
    assert report.able
    assert {check.level for check in report.checks} == {doctor.OK}
    assert drawn == list(MODELS)


def test_versions_and_threads_are_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 3)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 64)
    report = doctor.examine(tmp_path)
    assert list(report.versions) == ["python", "mnistgen", "numpy", "pillow", "click", "onnxruntime", "platform"]
    assert report.versions["mnistgen"] == mnistgen.__version__
    assert report.versions["numpy"] == np.__version__
    assert report.versions["onnxruntime"] == session.version()
    assert (report.threads, report.cores) == (3, 64)
    assert report.checks[0].sentence == "3 of 64 cores can be used"


def test_missing_runtime_is_a_fault(examine, packages, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(cuda, "builds", list)
    faults, able = examine()
    assert (list(faults), able) == (["runtime-missing"], False)
    assert faults["runtime-missing"].sentence.startswith(
        "ONNX Runtime cannot be imported (import of onnxruntime halted"
    )
    assert install_command("cpu") in faults["runtime-missing"].remedy


def test_damaged_runtime_is_a_fault(examine, packages, monkeypatch):
    packages("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    faults, able = examine()
    assert (list(faults), able) == (["runtime-damaged"], False)
    assert f"pip uninstall -y onnxruntime && {install_command('cpu')}" in faults["runtime-damaged"].remedy


@pytest.mark.parametrize(("driver", "extra"), [({}, "gpu"), ({"libcuda.so.1": "cannot open"}, "cpu")])
def test_mixed_builds_are_a_warning(examine, packages, system, driver, extra):
    packages("onnxruntime", "onnxruntime-gpu")
    system(Runtime(providers=[session.CPU]), **driver)
    faults, able = examine()
    assert (list(faults), able) == (["builds-mixed"], True)
    assert "onnxruntime and onnxruntime-gpu" in faults["builds-mixed"].sentence
    repair = f"pip uninstall -y onnxruntime onnxruntime-gpu && {install_command(extra)}"
    assert repair in faults["builds-mixed"].remedy


@pytest.mark.parametrize("broken", [None, "no module"])
def test_unimportable_pillow_is_a_fault(examine, monkeypatch, broken):
    monkeypatch.setitem(sys.modules, "PIL", broken)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    faults, able = examine()
    assert (list(faults), able) == (["pillow-missing"], False)
    assert "pip install --force-reinstall pillow" in faults["pillow-missing"].remedy


def test_enabled_telemetry_is_a_warning(examine, monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    faults, able = examine()
    assert (list(faults), able) == (["telemetry-on"], True)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, "manifest-missing", "does not exist"),
        ("{", "manifest-damaged", "cannot be read"),
        ("[]", "manifest-damaged", "is not a manifest"),
        ('{"schema": "1.0", "models": {}}', "manifest-damaged", "lists no models"),
        ('{"schema": "2.0", "models": {}}', "schema-unknown", "is 2.0; expected 1.1"),
    ],
)
def test_unusable_manifest_is_a_fault(examine, artifacts, text, code, words):
    (artifacts / "manifest.json").unlink()
    if text is not None:
        (artifacts / "manifest.json").write_text(text)
    faults, able = examine()
    assert (list(faults), able) == ([code], False)
    assert words in faults[code].sentence
    assert "nstall" in faults[code].remedy


def test_missing_and_damaged_models_are_faults(artifacts):
    (artifacts / "vae.onnx").unlink()
    (artifacts / "gan.onnx").write_bytes(b"damaged")
    report = doctor.examine(artifacts)
    missing, damaged = (check for check in report.checks if check.level == doctor.FAULT)
    assert not report.able
    assert (missing.code, damaged.code) == ("model-missing", "model-hash-mismatch")
    assert "vae.onnx cannot be read (No such file or directory)" in missing.sentence
    assert "gan.onnx" in damaged.sentence
    assert missing.remedy == damaged.remedy == "Reinstall mnistgen"
    drawn = "cgan, cgan-int8, vae-fp16, gan-fp16, cgan-fp16"
    assert report.checks[-1].sentence == f"CPUExecutionProvider drew a digit with {drawn}"


def test_damaged_verifier_is_a_warning(artifacts, examine):
    (artifacts / "verifier.onnx").write_bytes(b"damaged")
    faults, able = examine()
    assert (list(faults), able) == (["model-hash-mismatch"], True)
    assert "verifier.onnx" in faults["model-hash-mismatch"].sentence
    manifest = json.loads((artifacts / "manifest.json").read_text())
    del manifest["verifier"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert examine() == ({}, True)


def test_newer_ir_version_is_a_fault(artifacts, examine):
    content = (artifacts / "vae.onnx").read_bytes()
    replace(artifacts, "vae", content[:2], b"\x08\x63", ir_version=99)  # the first field of a model: its IR version
    faults, able = examine()
    assert (list(faults), able) == (["ir-unsupported"], False)
    assert "vae (opset 13, IR 99)" in faults["ir-unsupported"].sentence
    assert "pip install --upgrade onnxruntime" in faults["ir-unsupported"].remedy


def test_newer_opset_is_a_fault(artifacts, examine):
    replace(artifacts, "vae", b"\x10\x0d", b"\x10\x7f", opset=127)  # the second field of an opset: its version, 13
    faults, able = examine()
    assert (list(faults), able) == (["opset-unsupported"], False)
    assert "vae (opset 127, IR 7)" in faults["opset-unsupported"].sentence


def test_unreadable_model_is_a_fault(artifacts, examine):
    content = (artifacts / "vae.onnx").read_bytes()
    replace(artifacts, "vae", content, b"no model")
    faults, able = examine()
    assert (list(faults), able) == (["model-refused"], False)
    assert "cannot be opened" in faults["model-refused"].sentence


def test_wrong_inputs_are_a_fault(artifacts, examine):
    alter(artifacts, "vae", inputs={"z": ["N", 64]})
    faults, able = examine()
    assert (list(faults), able) == (["contract-broken"], False)
    assert "vae" in faults["contract-broken"].sentence


@pytest.mark.parametrize("failing", [True, False])
def test_blank_or_failing_model_is_a_fault(examine, monkeypatch, failing):
    def generate(self):
        if failing:
            raise mnistgen.DeviceError("ONNX Runtime failed to run the vae: out of memory", code="run-failed")
        return np.zeros((1, 28, 28), np.uint8)

    monkeypatch.setattr(Generator, "generate", generate)
    faults, able = examine()
    assert (list(faults), able) == (["digit-failed"], False)
    assert ("out of memory" if failing else "blank") in faults["digit-failed"].sentence
    assert "pip install --force-reinstall onnxruntime" in faults["digit-failed"].remedy


@pytest.mark.parametrize(
    ("runtime", "errors", "code"),
    [
        ({}, {"libcuda.so.1": "cannot open"}, "driver-missing"),
        (
            {},
            {"providers_cuda": "libcublas.so.13: cannot open shared object file: No such file or directory"},
            "libraries-missing",
        ),
        ({"starting": "EP Error CUDA failure 100: no device ; GPU=0 when using"}, {}, "cuda-failed"),
    ],
)
def test_unusable_gpu_is_a_warning(examine, packages, system, runtime, errors, code):
    packages("onnxruntime-gpu")
    system(Runtime(**runtime), **errors)
    faults, able = examine()
    assert (list(faults), able) == ([code], True)
    assert faults[code].name == "gpu"
    assert faults[code].remedy.endswith("or use the device cpu")


def test_gpu_draws_with_every_model(artifacts, packages, system):
    packages("onnxruntime-gpu")
    system(Runtime(starts=True))
    proof = f"CUDAExecutionProvider drew a digit with {', '.join(MODELS)}"
    assert doctor.examine(artifacts).checks[-1] == doctor.Check("gpu", proof)


def test_failing_gpu_run_is_a_warning(examine, packages, system, monkeypatch):
    def fail(self, binding):
        raise RuntimeError("CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR")

    packages("onnxruntime-gpu")
    monkeypatch.setattr(OnGpu, "run_with_iobinding", fail)
    system(Runtime(starts=True))
    faults, able = examine()
    assert (list(faults), able) == (["digit-failed"], True)


def test_command_prints_checks_and_remedies(run, artifacts):
    (artifacts / "vae.onnx").unlink()
    code, out, err = run("doctor", command=group.mnistgen)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert {line.split()[0] for line in lines[1:-1] if line[0] != " "} == {"ok", "fault"}
    (at,) = (i for i, line in enumerate(lines) if line.startswith("fault"))
    assert lines[at].endswith("vae.onnx cannot be read (No such file or directory) [model-missing]")
    assert lines[at + 1].split() == ["Reinstall", "mnistgen"]
    assert lines[-1].startswith("Digits cannot be drawn")


def test_command_succeeds_if_digits_can_be_drawn(run, artifacts):
    code, out, err = run("doctor", command=group.mnistgen)
    assert (code, err) == (0, "")
    assert out.startswith("python ")
    assert out.endswith("\nDigits can be drawn.\n")


def test_json_output(run, artifacts):
    (artifacts / "manifest.json").unlink()
    code, out, err = run("doctor", "--json", command=group.mnistgen)
    facts = json.loads(out)
    assert (code, err, facts["able"]) == (1, "", False)
    assert facts["checks"][-1]["code"] == "manifest-missing"
    assert facts["checks"][-1]["level"] == "fault"
    assert facts["threads"] >= 1


def test_command_runs_without_runtime_and_pillow():
    without = "import sys; sys.modules |= {'onnxruntime': None, 'PIL': None}"
    done = subprocess.run(cli_command("doctor", before=without), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert len(re.findall("^fault ", done.stdout, re.MULTILINE)) == 2
    assert "onnxruntime missing" in done.stdout


@needs_terminal
def test_terminal_gets_colors(folder):
    code, shown = run_in_terminal("doctor")
    assert code == 0
    assert "\x1b[32mok" in shown
