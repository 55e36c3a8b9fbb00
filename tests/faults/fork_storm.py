"""Fork while other threads draw: `python -m faults.fork_storm 150`.

Each child draws from the generator that it inherited. It must finish within 20 seconds.
"""

import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import mnistgen


def storm(count: int) -> Counter[str]:
    """Fork `count` children from the GAN and the verified VAE in turn; return how often each result is."""
    return Counter(fork(number) for number in range(count))


def fork(number: int) -> str:
    """Fork one child while three threads draw; return "drawn", "hang" or how the child ended."""
    verify = number % 2 == 1
    generator = mnistgen.load("vae" if verify else "gan", device="cpu", threads=2)
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            for n in (1, 40):
                generator.generate(n, verify=verify)

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(number % 30 / 1000)
    child = os.fork()
    if not child:
        signal.alarm(20)
        for n in (1, 1, 40):
            generator.generate(n, verify=verify)
        os._exit(0)
    stop.set()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for thread in threads:
        thread.join()
    return {0: "drawn", -signal.SIGALRM: "hang"}.get(code, f"exit {code}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and newer warn of forks beside threads
    results = storm(int(sys.argv[1]))
    print(dict(results))
    sys.exit(set(results) != {"drawn"})
