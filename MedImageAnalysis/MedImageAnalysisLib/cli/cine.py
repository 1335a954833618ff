"""`medimage cine`: a heart in several phases, from the images to the ejection fraction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..export.atomic import check_folder
from .analyze import AsJson, Output, Picture, Wanted, results_into, tell, write
from .bar import progress_bar

__all__ = ["add_to"]

Input = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A DICOM folder with a short-axis cine in several slices, or a 4D NIfTI, NRRD or MetaImage.",
    ),
]
PresetName = Annotated[str, typer.Option("--preset", "-p", help="A preset that outlines the left ventricle.")]


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(cine)


def cine(
    image_path: Input,
    output: Output,
    preset: PresetName = "cardiac-mri",
    picture: Picture = True,
    as_json: AsJson = False,
) -> None:
    """Find end-diastole and end-systole of a heart and measure volumes, mass and ejection fraction.

    The results of end-diastole, with the ejection fraction, come into the output folder, those of end-systole into its
    folder end-systole.
    """
    from ..image import read_phases
    from ..pipeline import run_phases
    from ..preset import load_preset

    wanted = Wanted(output, scene=False, picture=picture, as_json=as_json)
    chosen = load_preset(preset)
    check_folder(output)
    with progress_bar(quiet=as_json) as progress:
        phases = read_phases(image_path, progress=progress.part(0.0, 0.15, "Read the images"))
        first, second = run_phases(phases, chosen, progress=progress.part(0.15, 0.9))
        writing = progress.part(0.9, 1.0, "Write the results").parts(2)
        with results_into(output) as aside:
            systole = aside / "end-systole"
            systole.mkdir()
            written = write(first, wanted, aside, writing[0])
            written += write(second, replace(wanted, folder=output / systole.name), systole, writing[1])
    tell(first, written, as_json)
