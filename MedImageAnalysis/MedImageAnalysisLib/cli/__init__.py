"""The command line `medimage`: one file per group of commands, no image arithmetic.

Exit codes: 0 done, 1 the input or a setting was refused (the message says why), 2 wrong usage, 130 cancelled.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import Cancelled, MedImageError
from . import analyze, cine, cohort, doctor, listings, train

__all__ = ["app", "run"]

app = typer.Typer(
    name="medimage",
    help="Preprocess, segment, measure and recognize medical images. For research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
analyze.add_to(app)
cine.add_to(app)
listings.add_to(app)
cohort.add_to(app)
train.add_to(app)
doctor.add_to(app)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"medimage {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line with `arguments` (default: those of the process); return the exit code."""
    try:
        app(arguments)
    except Cancelled as cancelled:
        print(cancelled, file=sys.stderr)
        return 130
    except MedImageError as error:
        print(f"medimage: {error}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0
