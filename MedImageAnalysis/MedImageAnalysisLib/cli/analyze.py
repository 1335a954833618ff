"""`medimage analyze` and `medimage repeat`: one image through all four stages, results into one folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..analysis import Analysis, MedicalImage, QualityFinding, Segmentation
from ..choice import AUTO, choose_preset
from ..errors import InvalidSettingError
from ..export.atomic import check_folder, filling
from ..preset import Preset
from ..progress import Progress
from .bar import progress_bar
from .options import AsJson

__all__ = ["AsJson", "Output", "Picture", "Wanted", "add_to", "results_into", "tell", "write"]

Input = Annotated[
    Path, typer.Argument(metavar="INPUT", help="A DICOM file or series folder, NIfTI, NRRD, MetaImage, PNG, JPEG.")
]
Record = Annotated[Path, typer.Argument(help="The analysis.json of an earlier run.")]
PresetName = Annotated[
    str, typer.Option("--preset", "-p", help="Name of a preset (see 'medimage presets'), a file, or 'auto'.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if it is missing.")]
SegmentationFile = Annotated[
    Path | None,
    typer.Option(
        "--segmentation", help="An existing segmentation (.seg.nrrd, labelmap, DICOM SEG) that replaces stage 2."
    ),
]
LabelNames = Annotated[
    str | None,
    typer.Option(
        "--names",
        help="Names of a labelmap's labels: a .csv or .tsv table of label and name, 'totalsegmentator' (version 2) or "
        "'totalsegmentator-v1'.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="Apply just this recognition model (see 'medimage models') in place of the preset's; may be repeated.",
    ),
]
Prevalence = Annotated[
    list[str] | None,
    typer.Option(
        help="How common a category is where the image was taken, KEY=SHARE such as normal=80%; repeat for every "
        "category of the model. The table then shows the adjusted probabilities too.",
    ),
]
Scene = Annotated[bool, typer.Option("--scene", help="Also write a 3D Slicer scene (.mrb).")]
Picture = Annotated[bool, typer.Option(help="Draw original, result and probabilities as a PNG.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(analyze)
    app.command()(repeat)


def analyze(
    image_path: Input,
    preset: PresetName,
    output: Output,
    segmentation: SegmentationFile = None,
    names: LabelNames = None,
    model: Models = None,
    prevalence: Prevalence = None,
    scene: Scene = False,
    picture: Picture = True,
    as_json: AsJson = False,
) -> None:
    """Analyze one image: preprocess, segment, extract features, recognize.

    Where a preset names a linear model and a network is its alternative, the network is taken if it can run; --model
    takes exactly what is named.
    """
    from ..pipeline import run
    from ..preset import load_preset
    from ..prevalence import parse_prevalence

    chosen = None if preset == AUTO else load_preset(preset)
    shares = parse_prevalence(prevalence or ())

    def work(image: MedicalImage, given: Segmentation | None, progress: Progress) -> Analysis:
        used = (chosen or _choose(image)).with_choices(model or (), shares)
        return run(image, used, segmentation=given, progress=progress)

    # The automatic choice needs to see the image first; what it is made for is gray.
    color = chosen.color if chosen else "luminance"
    _carry_out(work, _Given(image_path, color, segmentation, names), Wanted(output, scene, picture, as_json))


def repeat(
    record: Record,
    image_path: Input,
    output: Output,
    segmentation: SegmentationFile = None,
    names: LabelNames = None,
    scene: Scene = False,
    picture: Picture = True,
    as_json: AsJson = False,
) -> None:
    """Repeat an earlier analysis from its record; the results are equal bit for bit."""
    from ..export.record import read_record
    from ..pipeline import repeat as repeat_record

    provenance = read_record(record)

    def work(image: MedicalImage, given: Segmentation | None, progress: Progress) -> Analysis:
        return repeat_record(provenance, image, segmentation=given, progress=progress)

    color = provenance.preset.get("color", "refuse")
    _carry_out(work, _Given(image_path, color, segmentation, names), Wanted(output, scene, picture, as_json))


@dataclass(frozen=True)
class _Given:
    """What the user gives: the image, and perhaps a segmentation with names of its labels."""

    image: Path
    color: str
    segmentation: Path | None
    names: str | None


@dataclass(frozen=True)
class Wanted:
    """What the user wants to get out."""

    folder: Path
    scene: bool
    picture: bool
    as_json: bool


def _carry_out(
    work: Callable[[MedicalImage, Segmentation | None, Progress], Analysis],
    given: _Given,
    wanted: Wanted,
) -> None:
    """Read, do the work, write, tell."""
    from ..image import read_image

    if given.names and not given.segmentation:
        raise InvalidSettingError("--names is for the labels of a segmentation: give it with --segmentation.")
    check_folder(wanted.folder)
    with progress_bar(quiet=wanted.as_json) as progress:
        image = read_image(given.image, color=given.color, progress=progress.part(0.0, 0.1, "Read the image"))
        segmentation = _read_segmentation(given, image)
        analysis = work(image, segmentation, progress.part(0.1, 0.85))
        with results_into(wanted.folder) as aside:
            written = write(analysis, wanted, aside, progress.part(0.85, 1.0, "Write the results"))
    tell(analysis, written, wanted.as_json)


def _choose(image: MedicalImage) -> Preset:
    proposal = choose_preset(image)
    print(proposal.reason, file=sys.stderr)
    return proposal.preset


def _read_segmentation(given: _Given, image: MedicalImage) -> Segmentation | None:
    if given.segmentation is None:
        return None
    from ..segmentation_file import read_segmentation

    return read_segmentation(given.segmentation, image, names=given.names)


@contextmanager
def results_into(folder: Path) -> Iterator[Path]:
    """Give a folder aside; what is in it comes into `folder`, in place of an earlier analysis, when the block succeeds.

    A table or picture that the earlier analysis wrote and this one does not would tell of another image.
    """
    from ..export.results import TABLES

    replaced = (folder / "analysis.json").is_file()
    with filling(folder) as aside:
        yield aside
        written = {path.name for path in aside.iterdir()}
    if replaced:
        tables = (f"{name}{suffix}" for name in TABLES for suffix in (".tsv", ".schema.tsv"))
        for name in {*tables, "picture.png", "scene.mrb"} - written:
            (folder / name).unlink(missing_ok=True)


def write(analysis: Analysis, wanted: Wanted, aside: Path, progress: Progress) -> tuple[Path, ...]:
    """Write what is wanted of an analysis into a folder aside; return where the files will be in the wanted one."""
    from ..export.results import write_results

    written = write_results(analysis, aside, progress.part(0.0, 0.4))
    if wanted.picture:
        from ..report.picture import write_picture

        progress.step("Draw the picture", 0.4)
        written = (write_picture(analysis, aside / "picture.png"), *written)
    if wanted.scene:
        from ..mrml.scene_file import write_scene

        written += (write_scene(analysis, aside / "scene.mrb", progress.part(0.6, 1.0)),)
    return tuple(wanted.folder / path.name for path in written)


def tell(analysis: Analysis, written: tuple[Path, ...], as_json: bool) -> None:
    """Print the results and where they were written."""
    from ..export.record import analysis_to_json

    if as_json:
        files = [str(path) for path in written]
        print(json.dumps(analysis_to_json(analysis) | {"files": files}, indent=1, ensure_ascii=False, allow_nan=False))
        return
    print_analysis(analysis)
    print("\nResults:")
    for path in written:
        print(f"  {path}")


def print_analysis(analysis: Analysis) -> None:
    """Print measurements, the table of probabilities, doubts and warnings for people."""
    from ..report.words import NOTICE, measurement_words, recognition_words
    from .listings import print_table

    for measurement in analysis.measurements:
        print(measurement_words(measurement))
    for recognition in analysis.recognitions:
        if recognition.assessed:
            rows = [
                (
                    row.category,
                    row.code.value if row.code else "",
                    f"{row.probability:.3f}",
                    f"{row.lower:.3f}",
                    f"{row.upper:.3f}",
                    "yes" if row.in_prediction_set else "no",
                    "" if row.prior_adjusted is None else f"{row.prior_adjusted:.3f}",
                )
                for row in recognition.categories
            ]
            header = ("category", "code", "probability", "lower", "upper", "in prediction set", "at your prevalence")
            print_table(recognition.title, header, rows)
        print(recognition_words(recognition))
    print_quality(analysis.quality)
    told = {finding.reason for finding in analysis.quality}
    for warning in analysis.provenance.warnings:
        if warning not in told:
            print(f"Note: {warning}")
    print(NOTICE)


def print_quality(findings: Sequence[QualityFinding]) -> None:
    """Print the level of quality control, and each finding that is not green with its reason."""
    from ..quality import overall
    from ..quality.check import GREEN

    print(f"Quality control: {overall(findings)}")
    for finding in findings:
        if finding.level != GREEN:
            print(f"  {finding.level}, {finding.check}: {finding.reason}")
