"""Run a foreign model so that a time limit and Ctrl-C can end the run."""

from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import ArtifactError
from mnistgen.forking import guard
from mnistgen.inference.session import Inputs, run_options

if TYPE_CHECKING:
    from concurrent.futures import Future

Run = Callable[..., NDArray[np.float32]]
"""`run_session` or `run_bound`."""


def run_within(seconds: float, run: Run, session: Any, inputs: Inputs, name: str) -> NDArray[np.float32]:
    """Run the model `name` once in a thread of its own and return the images (n, 1, 28, 28).

    Python handles Ctrl-C only between its own instructions, so the calling thread must not be inside ONNX Runtime.

    Raises:
        ArtifactError: The run takes longer than `seconds`. ONNX Runtime ends it before the next operator.
    """
    with guard:
        from concurrent.futures import Future  # lazy: shipped models have no limit

    options = run_options()
    result: Future[NDArray[np.float32]] = Future()
    Thread(target=_work, args=(result, run, session, inputs, options), daemon=True, name=f"mnistgen-{name}").start()
    try:
        return result.result(seconds)
    except TimeoutError as error:
        raise ArtifactError(
            f"A run of the {name} took longer than {seconds:g} s",
            code="model-too-slow",
            remedy="If the model is only slow, raise the limit with timeout (--timeout)",
        ) from error
    finally:
        options.terminate = True


def _work(result: "Future[NDArray[np.float32]]", run: Run, session: Any, inputs: Inputs, options: Any) -> None:
    try:
        result.set_result(run(session, inputs, options))
    except BaseException as error:
        result.set_exception(error)
