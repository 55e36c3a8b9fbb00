"""A process that makes shards: it reads a job and then numbers of shards from stdin, and writes an answer for each.

The end of stdin ends it in the middle of a shard, too: whoever started it has ended.
"""

import _thread
import json
import os
import queue
import signal
import sys
import threading

from mnistgen.dataset.shards.job import answer


def main() -> None:
    """Make shards until stdin ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for interrupt_main
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    code = 0
    try:
        job = lines.get()
        while line := lines.get():
            print(json.dumps(answer(job, int(line))), flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # drafts are deleted
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        os._exit(code)  # without clean-up of ONNX Runtime


def _read(lines: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("")  # for a process that waits, which the next line does not wake
    _thread.interrupt_main()
