"""Run `python -m export.gpu_check`."""

from export.gpu_check.command import main

if __name__ == "__main__":
    main()
