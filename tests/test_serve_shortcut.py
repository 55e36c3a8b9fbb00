"""The shortcut of `mnistgen serve` answers as Starlette's router does."""

import pytest
from serve_helpers import Running, running_fixture

from mnistgen.serve import shortcut

PATHS = [
    "/v1/cgan/7/0.png",
    "/v1/cgan/7/0.png?digit=5&scale=2&invert=true",
    "/v1/vae/18446744073709551615/9223372036854775807.svg",
    "/v1/vae/18446744073709551616/0.png",
    "/v1/vae/007/0.png",
    "/v1/vae/1/0.gif",
    "/v1/vae/1/0.png?digit=5",
    "/v1/vae/1/0.png?x=1",
    "/v1/nope/1/0.png",
    "/v1/vae@00000000/1/0.png",
    "/v1/text/1/2.png?seed=1",
    "/v1/text/1/2.svg",
]


running = running_fixture(("vae", "cgan"))


@pytest.fixture(scope="module")
def routed():
    """A server without the shortcut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnistgen.serve.app.Shortcut", lambda app: app)
        one = Running(("vae", "cgan"))
        yield one
        one.stop()


def without_names(headers):
    return {
        name: value for name, value in headers.items() if name not in ("date", "x-request-id", "Date", "X-Request-ID")
    }


@pytest.mark.parametrize("path", PATHS)
def test_answers_are_those_of_the_router(running, routed, path):
    one, other = running.get(path), routed.get(path)
    assert one[0] == other[0]
    assert without_names(one[1]) == without_names(other[1])
    assert one[2] == other[2]


def test_usual_addresses_take_the_shortcut():
    taken = [bool(shortcut._ADDRESS.fullmatch(path.partition("?")[0])) for path in PATHS]
    assert taken == [True] * 10 + [False] * 2
