"""`mnistgen doctor`: a code, a sentence and a remedy for each fault, and success only where digits can be made."""

import hashlib
import json
import re
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from conftest import MODELS, ROOT
from fakes import OnGpu, Runtime
from subprocess_helpers import cli_command, needs_terminal, run_in_terminal

import mnistgen
from mnistgen import cli, doctor
from mnistgen.generator import Generator
from mnistgen.inference import cuda, session


@pytest.fixture(autouse=True)
def without_telemetry(monkeypatch):
    """As it is once mnistgen has imported ONNX Runtime, whatever other tests left."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture
def examine(artifacts):
    """Examines the copy of the artifacts, the VAE alone; returns what is wrong, by code, and if digits can be made."""
    manifest = json.loads((artifacts / "manifest.json").read_text())
    manifest["models"] = {"vae": manifest["models"]["vae"]}
    (artifacts / "manifest.json").write_text(json.dumps(manifest))

    def call():
        report = doctor.examine(artifacts)
        return {check.code: check for check in report.checks if check.level != doctor.OK}, report.able

    return call


def alter(folder, name, **facts):
    """Write other facts of a model into the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["models"][name].update(facts)
    path.write_text(json.dumps(manifest))


def replace(folder, name, old, new, **facts):
    """Change bytes of a model's file, and let the manifest have its SHA-256."""
    path = folder / f"{name}.onnx"
    content = path.read_bytes()
    assert content.count(old)
    content = content.replace(old, new)
    path.write_bytes(content)
    alter(folder, name, sha256=hashlib.sha256(content).hexdigest(), **facts)


def test_a_sound_installation_is_proved_by_a_digit_of_each_model(artifacts, monkeypatch):
    drawn = []
    original = Generator.generate
    monkeypatch.setattr(Generator, "generate", lambda self: drawn.append(self.model.name) or original(self))
    report = doctor.examine(artifacts)
    assert report.able
    assert {check.level for check in report.checks} == {doctor.OK}
    assert drawn == list(MODELS)


def test_versions_and_threads_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 3)
    monkeypatch.setattr(doctor.os, "cpu_count", lambda: 64)
    report = doctor.examine(tmp_path)
    assert list(report.versions) == ["python", "mnistgen", "numpy", "pillow", "click", "onnxruntime", "platform"]
    assert report.versions["mnistgen"] == mnistgen.__version__
    assert report.versions["numpy"] == np.__version__
    assert report.versions["onnxruntime"] == session.version()
    assert (report.threads, report.cores) == (3, 64)
    assert report.checks[0].sentence == "3 of the machine's 64 cores may be used"


def test_a_missing_runtime_is_a_fault(examine, packages, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(cuda, "builds", list)
    faults, able = examine()
    assert (list(faults), able) == (["runtime-missing"], False)
    assert faults["runtime-missing"].sentence.startswith(
        "ONNX Runtime cannot be imported (import of onnxruntime halted"
    )
    assert faults["runtime-missing"].remedy == "pip install 'mnistgen[cpu]', or 'mnistgen[gpu]' for an NVIDIA GPU"


def test_a_damaged_runtime_is_a_fault(examine, packages, monkeypatch):
    packages("onnxruntime")
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    faults, able = examine()
    assert (list(faults), able) == (["runtime-damaged"], False)
    assert faults["runtime-damaged"].remedy.startswith("pip uninstall -y onnxruntime && pip install 'mnistgen[cpu]'")


@pytest.mark.parametrize(("driver", "extra"), [({}, "gpu"), ({"libcuda.so.1": "cannot open"}, "cpu")])
def test_two_builds_over_each_other_are_a_warning_with_the_repair_that_fits(examine, packages, system, driver, extra):
    packages("onnxruntime", "onnxruntime-gpu")
    system(Runtime(providers=[session.CPU]), **driver)
    faults, able = examine()
    assert (list(faults), able) == (["builds-mixed"], True)
    assert faults["builds-mixed"].sentence == "onnxruntime and onnxruntime-gpu are installed over each other"
    repair = f"pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'mnistgen[{extra}]'"
    assert faults["builds-mixed"].remedy == repair


@pytest.mark.parametrize("broken", [None, "no module"])
def test_a_pillow_that_cannot_be_imported_is_a_fault(examine, monkeypatch, broken):
    monkeypatch.setitem(sys.modules, "PIL", broken)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    faults, able = examine()
    assert (list(faults), able) == (["pillow-missing"], False)
    assert faults["pillow-missing"].remedy == "pip install --force-reinstall pillow"


def test_telemetry_that_could_not_be_switched_off_is_a_warning(examine, monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    faults, able = examine()
    assert (list(faults), able) == (["telemetry-on"], True)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, "manifest-missing", "There is no manifest at "),
        ("{", "manifest-damaged", "cannot be read or is damaged"),
        ("[]", "manifest-damaged", "is no manifest of mnistgen"),
        ('{"schema": "1.0", "models": {}}', "manifest-damaged", "lists no model"),
        ('{"schema": "2.0", "models": {}}', "schema-unknown", "has schema 2.0, and this mnistgen reads 1.0"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_a_fault(examine, artifacts, text, code, words):
    (artifacts / "manifest.json").unlink()
    if text is not None:
        (artifacts / "manifest.json").write_text(text)
    faults, able = examine()
    assert (list(faults), able) == ([code], False)
    assert words in faults[code].sentence
    assert faults[code].remedy.startswith("install ")


def test_a_missing_model_and_a_damaged_one_are_faults_and_the_others_are_still_tried(artifacts):
    (artifacts / "vae.onnx").unlink()
    (artifacts / "gan.onnx").write_bytes(b"damaged")
    report = doctor.examine(artifacts)
    missing, damaged = (check for check in report.checks if check.level == doctor.FAULT)
    assert not report.able
    assert (missing.code, damaged.code) == ("model-missing", "model-damaged")
    assert "vae.onnx cannot be read (No such file or directory)" in missing.sentence
    assert "gan.onnx is damaged (its SHA-256 is not the manifest's)" in damaged.sentence
    assert missing.remedy == damaged.remedy == "install mnistgen anew"
    assert report.checks[-1].sentence == "CPUExecutionProvider drew a digit by cgan, cgan-int8"


def test_a_verifier_that_cannot_read_is_a_warning_and_artifacts_may_have_none(artifacts, examine):
    (artifacts / "verifier.onnx").write_bytes(b"damaged")
    faults, able = examine()
    assert (list(faults), able) == (["verifier-unusable"], True)
    assert "verifier.onnx is damaged" in faults["verifier-unusable"].sentence
    manifest = json.loads((artifacts / "manifest.json").read_text())
    del manifest["verifier"]
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    assert examine() == ({}, True)


def test_a_model_of_a_newer_ir_is_a_fault(artifacts, examine):
    content = (artifacts / "vae.onnx").read_bytes()
    replace(artifacts, "vae", content[:2], b"\x08\x63", ir_version=99)  # the first field of a model: its IR version
    faults, able = examine()
    assert (list(faults), able) == (["ir-unsupported"], False)
    sentence = f"ONNX Runtime {session.version()} is too old for the vae, which has IR version 99"
    assert faults["ir-unsupported"].sentence == sentence
    assert faults["ir-unsupported"].remedy == "pip install --upgrade onnxruntime"


def test_a_model_of_a_newer_opset_is_a_fault(artifacts, examine):
    replace(artifacts, "vae", b"\x10\x12", b"\x10\x7f", opset=127)  # the second field of an opset: its version, 18
    faults, able = examine()
    assert (list(faults), able) == (["opset-unsupported"], False)
    assert faults["opset-unsupported"].sentence.endswith("is too old for the vae, which has opset 127")


def test_a_file_that_is_no_model_is_a_fault_though_its_hash_is_right(artifacts, examine):
    content = (artifacts / "vae.onnx").read_bytes()
    replace(artifacts, "vae", content, b"no model")
    faults, able = examine()
    assert (list(faults), able) == (["model-refused"], False)
    assert "cannot open the model" in faults["model-refused"].sentence


def test_a_model_with_other_inputs_than_the_manifest_says_is_a_fault(artifacts, examine):
    alter(artifacts, "vae", inputs={"z": ["N", 64]})
    faults, able = examine()
    assert (list(faults), able) == (["contract-broken"], False)
    assert faults["contract-broken"].sentence == "The vae has not the inputs and outputs of the manifest"


@pytest.mark.parametrize("failing", [True, False])
def test_a_model_that_draws_nothing_is_a_fault(examine, monkeypatch, failing):
    def generate(self):
        if failing:
            raise mnistgen.DeviceError("ONNX Runtime failed to run the vae (CPUExecutionProvider): out of memory")
        return np.zeros((1, 28, 28), np.uint8)

    monkeypatch.setattr(Generator, "generate", generate)
    faults, able = examine()
    assert (list(faults), able) == (["digit-failed"], False)
    said = "out of memory" if failing else "The vae draws nothing on the cpu"
    assert faults["digit-failed"].sentence.endswith(said)
    assert faults["digit-failed"].remedy == "pip install --force-reinstall onnxruntime"


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
def test_a_gpu_that_cannot_be_used_is_a_warning(examine, packages, system, runtime, errors, code):
    packages("onnxruntime-gpu")
    system(Runtime(**runtime), **errors)
    faults, able = examine()
    assert (list(faults), able) == ([code], True)
    assert faults[code].name == "gpu"
    assert faults[code].remedy.endswith("or choose the device cpu")


def test_a_gpu_is_proved_by_a_digit_of_each_model(artifacts, packages, system):
    packages("onnxruntime-gpu")
    system(Runtime(starts=True))
    proof = f"CUDAExecutionProvider drew a digit by {', '.join(MODELS)}"
    assert doctor.examine(artifacts).checks[-1] == doctor.Check("gpu", proof)


def test_a_gpu_that_fails_in_a_run_is_a_warning(examine, packages, system, monkeypatch):
    def fail(self, binding):
        raise RuntimeError("CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR")

    packages("onnxruntime-gpu")
    monkeypatch.setattr(OnGpu, "run_with_iobinding", fail)
    system(Runtime(starts=True))
    faults, able = examine()
    assert (list(faults), able) == (["digit-failed"], True)


def test_the_command_marks_each_check_and_gives_the_remedy_below(run, artifacts):
    (artifacts / "vae.onnx").unlink()
    code, out, err = run("doctor", command=cli.mnistgen)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert {line.split()[0] for line in lines[1:-1] if line[0] != " "} == {"ok", "fault"}
    (at,) = (i for i, line in enumerate(lines) if line.startswith("fault"))
    assert lines[at].endswith("vae.onnx cannot be read (No such file or directory) [model-missing]")
    assert lines[at + 1].split() == ["install", "mnistgen", "anew"]
    assert lines[-1] == "Digits cannot be made until the faults are mended."


def test_the_command_succeeds_where_digits_can_be_made(run, artifacts):
    code, out, err = run("doctor", command=cli.mnistgen)
    assert (code, err) == (0, "")
    assert out.startswith("python ")
    assert out.endswith("\nDigits can be made.\n")


def test_json_tells_the_same_to_scripts(run, artifacts):
    (artifacts / "manifest.json").unlink()
    code, out, err = run("doctor", "--json", command=cli.mnistgen)
    facts = json.loads(out)
    assert (code, err, facts["able"]) == (1, "", False)
    assert facts["checks"][-1]["code"] == "manifest-missing"
    assert facts["checks"][-1]["level"] == "fault"
    assert facts["threads"] >= 1


def test_the_command_runs_without_onnxruntime_and_pillow():
    without = "import sys; sys.modules |= {'onnxruntime': None, 'PIL': None}"
    done = subprocess.run(cli_command("doctor", before=without), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert len(re.findall("^fault ", done.stdout, re.MULTILINE)) == 2
    assert "onnxruntime missing" in done.stdout


@needs_terminal
def test_a_terminal_gets_colours(folder):
    code, shown = run_in_terminal("doctor")
    assert code == 0
    assert "\x1b[32mok" in shown


def test_the_page_explains_every_code_and_no_other():
    sources = "".join((ROOT / "runtime" / "mnistgen" / f"{name}.py").read_text() for name in ("cuda", "doctor"))
    page = (ROOT / "docs" / "doctor.md").read_text()
    codes = set(re.findall(r'"([a-z]+-[a-z-]+)"', sources))
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == codes
