"""Run `python -m export.quality`."""

from export.quality.command import main

if __name__ == "__main__":
    main()
