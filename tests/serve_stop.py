"""Stop `mnistgen serve` under load and count lost requests: `python tests/serve_stop.py`, with the extra `serve`."""

import argparse
import http.client
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from serve_load import server

PAUSE = 2
"""Seconds from the start of the clients to the signal."""


def client(number: int, port: int, keep: bool) -> tuple[int, int]:
    """Request digits until the server refuses a connection; return how many were answered, and how many lost."""
    answered = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while True:
        try:
            if connection.sock is None:
                connection.connect()
        except OSError:  # refused: the server has stopped
            return answered, 0
        try:
            connection.request("GET", f"/v1/vae/{number}/{answered}.png")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return answered, 1
        answered += answer.status == 200
        if answer.will_close or not keep:
            connection.close()


def stop(clients: int, keep: bool, workers: int) -> tuple[int, int]:
    """Return the answered and the lost requests of all clients of a server that is stopped."""
    options = ("--model", "vae", "--queue", "1000", "--workers", str(workers))
    with server(*options) as (address, process), ThreadPoolExecutor(clients) as pool:
        port = int(address.rpartition(":")[2])
        running = [pool.submit(client, number, port, keep) for number in range(clients)]
        time.sleep(PAUSE)
        os.kill(process, signal.SIGTERM)
        answered, lost = zip(*(each.result() for each in running), strict=True)
    return sum(answered), sum(lost)


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--clients", type=int, default=32, help="Simultaneous clients.")
    parser.add_argument("--stops", type=int, default=6, help="Stops of a server.")
    parser.add_argument("--workers", type=int, default=1, help="Processes of the server.")
    options = parser.parse_args()
    for keep, what in ((True, "kept connections"), (False, "a connection for each request")):
        answered, lost = zip(*(stop(options.clients, keep, options.workers) for _ in range(options.stops)), strict=True)
        print(f"{what}: {sum(answered)} answered, {sum(lost)} lost in {options.stops} stops")


if __name__ == "__main__":
    main()
