"""The command line: one file for each noun. `main` is what `provisioner` and `python -m provisioner` call."""

from provisioner.cli.root import main

__all__ = ["main"]
