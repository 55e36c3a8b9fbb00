"""Let two processes with equal process ids, as in two containers, write into one folder.

Run `python -m faults.file_race 40` for 40 rounds. It needs Linux and the right to create process namespaces.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from mnistgen.output.files import write_whole
name = sys.argv[1]
content = name.encode() * 200_000
print("ready", flush=True)
sys.stdin.readline()
for _ in range(30):
    write_whole(Path(name), content)
    assert Path(name).read_bytes() == content, "the file holds the other writer's content"
"""
UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


def has_namespaces() -> bool:
    """Return whether this system permits process namespaces."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def race(folder: Path) -> list[str]:
    """Let two processes write 30 times each at the same time; return what they report, empty if all went well."""
    command = [*UNSHARE, sys.executable, "-c", WRITER]
    processes = [
        subprocess.Popen(
            [*command, name],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    return [error for process, error in zip(processes, errors, strict=True) if error or process.returncode]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        failed = [errors for _ in range(int(sys.argv[1])) if (errors := race(Path(temporary)))]
        print(f"{len(failed)} of {sys.argv[1]} rounds failed", *failed[:1])
        sys.exit(bool(failed))
