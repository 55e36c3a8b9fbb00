"""Run `python -m export.benchmark`."""

from export.benchmark.command import main

if __name__ == "__main__":
    main()
