"""`python -m MedImageAnalysisLib` and the console command `medimage`."""

from __future__ import annotations

import sys

from .errors import MissingPackageError


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        import typer  # noqa: F401  only to find out early whether it is there
    except ImportError:
        print(MissingPackageError.of("typer", "cli", "The command line"), file=sys.stderr)
        return 1
    try:
        from .attended import leave_given_up
        from .cli import run

        code = run()
        leave_given_up(code)
    except KeyboardInterrupt:
        # Before the work listens, above all while packages are loaded.
        print("Cancelled by the user.", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
