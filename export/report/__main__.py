"""Run `python -m export.report`."""

from export.report.command import main

if __name__ == "__main__":
    main()
