"""Bundle the commands, which are imported by name, so that PyInstaller cannot find them."""

from mnistgen.cli.group import COMMANDS

hiddenimports = [f"mnistgen.cli.{name}" for name in COMMANDS]
