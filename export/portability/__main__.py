"""`python -m export.portability`."""

from export.portability.command import main

if __name__ == "__main__":
    main()
