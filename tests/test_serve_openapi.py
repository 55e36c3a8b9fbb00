"""Requests that schemathesis makes from the OpenAPI document: none fails, and responses are as described."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from serve_helpers import Running

from mnistgen.serve import archives

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
running = Running(("vae", "cgan"), metrics=True)
schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{running.port}/openapi.json")
# Some rules hold between parameters, such as `scale` and a format; schemas of single parameters cannot state them.
EXCLUDED = [schemathesis.checks.positive_data_acceptance]


@pytest.fixture(scope="module", autouse=True)
def blank_digits():
    """Blank digits, because requests for many real ones would take hours."""

    def generate(n=1, **options):
        return np.zeros((n, 28, 28), np.uint8)

    def generate_verified(n=1, *, digit=None, **options):
        return SimpleNamespace(images=generate(n), digits=np.zeros(n, np.uint8), attempts=np.ones(n, int))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "encode_png", lambda image: b"")
        for generator in running.service._generators.values():
            patch.setattr(generator, "generate", generate)
            patch.setattr(generator, "generate_verified", generate_verified)
        yield
    running.stop()


@schema.parametrize()
@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_responses_conform(case):
    case.call_and_validate(excluded_checks=EXCLUDED, allow_redirects=False)
