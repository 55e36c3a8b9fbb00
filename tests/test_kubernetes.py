"""The files in deploy/kubernetes/ fulfil Kubernetes' schemas, and agree with the image and with `mnistgen serve`."""

import copy
import json
import re
import sys
from importlib import import_module
from itertools import pairwise

import pytest
from conftest import ROOT
from doc_commands import parse

import mnistgen
from mnistgen.cli import group

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which comes with mkdocs")
for package in ("starlette", "httptools", "prometheus_client", "uvicorn"):
    pytest.importorskip(package, reason="needs the extra serve")

from mnistgen.serve import server, settings  # noqa: E402

FOLDER = ROOT / "deploy" / "kubernetes"
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
RESOURCES = ("deployment", "service", "horizontalpodautoscaler", "poddisruptionbudget")
OLDEST, NEWEST = "1.27", "1.37"
"""Versions of Kubernetes whose schemas are checked."""


def load(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))


DEPLOYMENT, SERVICE, KSERVE = load("deployment"), load("service"), load("kserve/inferenceservice")
POD, PREDICTOR = DEPLOYMENT["spec"]["template"]["spec"], KSERVE["spec"]["predictor"]
each_pod = pytest.mark.parametrize("pod", [POD, PREDICTOR], ids=["deployment", "kserve"])


def container_of(pod):
    (found,) = pod["containers"]
    return found


def entrypoint():
    (found,) = re.findall(r"^ENTRYPOINT (.*)$", CONTAINERFILE, re.MULTILINE)
    return json.loads(found)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", RESOURCES)
def test_schema(name, version):
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate: `make serving`")
    given = load(name)
    assert validator.validate(given, version, strict=True) == version
    wrong = copy.deepcopy(given)
    wrong["spec"]["replica"] = 2
    with pytest.raises(validator.ValidationError):
        validator.validate(wrong, version, strict=True)


def test_inference_service_has_known_fields():
    """KServe's package has classes for all fields, but no schema: compare names and plain types with them."""
    if "tritonclient.grpc" in sys.modules:
        pytest.skip("kserve and tritonclient define the same messages, so one process cannot import both")
    pytest.importorskip("kserve", reason="needs kserve: `make serving`")
    assert faults_of(KSERVE, "V1beta1InferenceService") == []
    wrong = copy.deepcopy(KSERVE)
    wrong["spec"]["predictor"] |= {"minReplica": 1, "maxReplicas": "10"}
    assert faults_of(wrong, "V1beta1InferenceService") == ["spec.predictor.maxReplicas", "spec.predictor.minReplica"]


def faults_of(value, kind, path=""):
    """Return the paths in `value` that the class `kind` of the SDK does not have, or that have another type."""
    if inner := re.fullmatch(r"[lL]ist\[(.*)\]", kind):
        return [fault for i, each in enumerate(value) for fault in faults_of(each, inner[1], f"{path}.{i}")]
    if kind.lower().startswith("dict") or kind in ("object", "ResourceQuantity", "IntstrIntOrString"):
        return []
    if kind in ("str", "int", "bool", "float"):
        return [] if type(value).__name__ == kind else [path.removeprefix(".")]
    modules = map(import_module, ("kserve.models", "kubernetes.client"))
    found = next(getattr(module, kind) for module in modules if hasattr(module, kind))
    types = {name: found.openapi_types[key] for key, name in found.attribute_map.items()}
    faults = [f"{path}.{name}".removeprefix(".") for name in value.keys() - types.keys()]
    for name in value.keys() & types.keys():
        faults += faults_of(value[name], types[name], f"{path}.{name}")
    return sorted(faults)


def test_kustomization_lists_every_resource():
    assert load("kustomization")["resources"] == [f"{name}.yaml" for name in RESOURCES]
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*RESOURCES, "kustomization"}


@each_pod
def test_image_is_that_of_containerfile(pod):
    image = container_of(pod)["image"]
    assert image == f"mnistgen:{mnistgen.__version__}"
    assert f"-t {image} ." in CONTAINERFILE
    assert image in (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")


@each_pod
def test_server_starts_with_image_and_arguments(pod):
    program, *options = entrypoint()
    container = container_of(pod)
    assert program.endswith("/mnistgen")
    assert "command" not in container  # it would replace the entry point
    parse(group.mnistgen, [*options, *container.get("args", [])])
    assert "env" not in container  # the server reads no environment variables
    assert ("--host", "0.0.0.0") in pairwise(options)


@each_pod
def test_port_is_that_of_server(pod):
    (port,) = container_of(pod)["ports"]
    assert port["containerPort"] == settings.PORT
    assert f"EXPOSE {settings.PORT}\n" in CONTAINERFILE


@each_pod
def test_probes_request_paths_of_server(pod):
    from serve_helpers import Running

    container = container_of(pod)
    probes = {name: probe["httpGet"] for name, probe in container.items() if name.endswith("Probe")}
    assert {"readinessProbe", "livenessProbe"} <= probes.keys()
    running = Running(names=("vae",), metrics=True)
    try:
        for probe in probes.values():
            assert probe["port"] in (container["ports"][0]["name"], settings.PORT)
            assert running.get(probe["path"])[0] == 200
        assert probes["readinessProbe"]["path"] != probes["livenessProbe"]["path"]
        annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(settings.PORT)
        assert running.get(annotations["prometheus.io/path"])[0] == 200
        assert "--metrics" in container_of(POD)["args"]
    finally:
        running.stop()


@each_pod
def test_pod_has_no_privileges(pod):
    (user,) = re.findall(r"^USER (\d+):(\d+)$", CONTAINERFILE, re.MULTILINE)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (str(security["runAsUser"]), str(security["runAsGroup"])) == user
    assert container_of(pod)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


@each_pod
def test_pod_may_finish_its_requests(pod):
    sleep = container_of(pod).get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    assert sleep[0] == "sleep"
    assert pod["terminationGracePeriodSeconds"] >= int(sleep[1]) + server.GRACE + 5


@each_pod
def test_resources_have_requests_and_limits(pod):
    resources = container_of(pod)["resources"]
    assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]  # the server has one thread per core of the limit


def test_selectors_and_names_agree():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert SERVICE["spec"]["selector"] == labels
    assert load("poddisruptionbudget")["spec"]["selector"]["matchLabels"] == labels
    (port,) = SERVICE["spec"]["ports"]
    assert port["targetPort"] == container_of(POD)["ports"][0]["name"]
    autoscaler = load("horizontalpodautoscaler")["spec"]
    target = {"apiVersion": DEPLOYMENT["apiVersion"], "kind": "Deployment", "name": DEPLOYMENT["metadata"]["name"]}
    assert autoscaler["scaleTargetRef"] == target
    assert 2 <= autoscaler["minReplicas"] < autoscaler["maxReplicas"]
    assert "replicas" not in DEPLOYMENT["spec"]
