"""Scenes as .mrb files, read back and compared before they count as written.

Slicer's own writer keeps six digits of a table's numbers, so the bundle is completed with exact tables before it is
zipped. What Slicer reads from such a file is then what was in the scene, bit for bit.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree

from ..analysis import Analysis
from ..errors import ExportError, UnreadableImageError
from ..export.atomic import replacing
from ..export.tables import write_table
from ..progress import Progress
from .access import active_scene, import_slicer, in_application
from .runtime import EmbeddedSlicer
from .tables import EXACT_ATTRIBUTE, tableFromNode

if TYPE_CHECKING:
    import slicer

__all__ = ["open_scene", "save_scene", "write_scene"]

# Far beyond any scene of images; what unpacks to more is a bomb.
_LARGEST_SCENE = 200 * 2**30
# Files whose content is compressed already.
_COMPRESSED = (".nrrd", ".gz", ".png", ".jpg", ".zip")


def write_scene(
    analysis: Analysis,
    path: str | Path,
    progress: Progress = Progress(),  # noqa: B008  frozen, so safe to share
    name: str = "",
) -> Path:
    """Write an analysis as a Slicer scene (.mrb), outside Slicer too.

    Raises
    ------
    MissingPackageError
        Outside Slicer, if slicer-core is not installed.
    ExportError
        If the file cannot be written or does not read back as it was written.
    """
    from .analysis_nodes import nodesFromAnalysis

    progress.step("Make the scene")
    with _scene_for_writing() as scene:
        nodesFromAnalysis(analysis, name=name, scene=scene)
        progress.step("Save the scene", 0.4)
        written = save_scene(path, scene)
    progress.step("Save the scene", 1.0)
    return written


@contextmanager
def _scene_for_writing() -> Iterator[slicer.vtkMRMLScene]:
    """Give an empty scene, apart from the one that the user of Slicer works in."""
    if not in_application():
        with EmbeddedSlicer() as embedded:
            yield embedded.scene
        return
    scene = _scratch_scene(active_scene())
    try:
        yield scene
    finally:
        scene.Clear(True)


def save_scene(path: str | Path, scene: slicer.vtkMRMLScene | None = None) -> Path:
    """Save a scene as .mrb, all or nothing; the file is opened and compared with the scene before it takes its name.

    Raises
    ------
    ExportError
        If the name does not end in .mrb, the file cannot be written, or it does not read back as it was written.
    """
    from .scene_check import check_equal

    target = Path(path)
    scene = scene or active_scene()
    if target.suffix.lower() != ".mrb":
        raise ExportError(f"A scene is saved as an .mrb file, but the name is '{target.name}'.")
    with tempfile.TemporaryDirectory(prefix="medimage-scene-") as folder, replacing(target) as aside:
        bundle = Path(folder) / target.stem
        bundle.mkdir()
        if not scene.SaveSceneToSlicerDataBundleDirectory(str(bundle), None):
            raise ExportError(f"Slicer could not save the scene for {target.name}. Is the disk full?")
        _complete_tables(bundle, scene)
        _zip(bundle, aside)
        written = _scratch_scene(scene)
        try:
            open_scene(aside, written)
            check_equal(scene, written)
        except UnreadableImageError as error:
            raise ExportError(f"The saved scene does not read back: {error}") from error
        finally:
            written.Clear(True)
    return target


def open_scene(path: str | Path, scene: slicer.vtkMRMLScene | None = None) -> None:
    """Replace the content of a scene by that of an .mrb file.

    Raises
    ------
    UnreadableImageError
        If the file is missing, damaged, or not a scene.
    """
    path = Path(path)
    scene = scene or active_scene()
    with tempfile.TemporaryDirectory(prefix="medimage-scene-") as folder:
        description = _unzip(path, Path(folder))
        scene.SetURL(str(description))
        scene.SetRootDirectory(str(description.parent))
        if not scene.Connect():
            raise UnreadableImageError(f"The scene {path.name} could not be read.")


def _complete_tables(bundle: Path, scene: slicer.vtkMRMLScene) -> None:
    """Write the tables of a bundle again, with all digits."""
    description = ElementTree.parse(next(bundle.glob("*.mrml"))).getroot()
    files = {entry.get("id"): unquote(entry.get("fileName", "")) for entry in description.iter("TableStorage")}
    for entry in description.iter("Table"):
        node = scene.GetNodeByID(entry.get("id"))
        if node is None or not node.GetAttribute(EXACT_ATTRIBUTE):
            continue
        references = dict(part.split(":") for part in entry.get("references", "").split(";") if part)
        write_table(bundle / files[references["storage"]], tableFromNode(node))


def _zip(bundle: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for source in sorted(bundle.rglob("*")):
            if source.is_file():
                method = zipfile.ZIP_STORED if source.suffix.lower() in _COMPRESSED else zipfile.ZIP_DEFLATED
                archive.write(source, source.relative_to(bundle.parent), compress_type=method)


def _unzip(path: Path, folder: Path) -> Path:
    """Unpack an .mrb, which may come from anybody, and return its scene description."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
            if any(name.is_absolute() or ".." in name.parts for name in names):
                raise UnreadableImageError(f"{path.name} holds paths that lead out of it: it is not a scene to trust.")
            size = sum(entry.file_size for entry in archive.infolist())
            if size > min(shutil.disk_usage(folder).free // 2, _LARGEST_SCENE):
                raise UnreadableImageError(f"{path.name} unpacks to {size} bytes, more than can be read safely.")
            archive.extractall(folder)
    # RuntimeError: encrypted; NotImplementedError: an unknown compression; zlib.error: damaged content.
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise UnreadableImageError(f"The scene {path.name} cannot be opened: {error}.") from error
    descriptions = sorted(folder.rglob("*.mrml"), key=lambda file: len(file.parts))
    if not descriptions:
        raise UnreadableImageError(f"{path.name} holds no scene description (.mrml).")
    return descriptions[0]


def _scratch_scene(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScene:
    """Return an empty scene that knows the same kinds of nodes."""
    scratch = import_slicer().vtkMRMLScene()
    known = {kind.GetClassName() for kind in _registered(scratch)}
    for kind in _registered(scene):
        if kind.GetClassName() not in known:
            scratch.RegisterNodeClass(kind.CreateNodeInstance())
    # Lines look here for the unit of their length.
    scratch.AddNode(import_slicer().vtkMRMLSelectionNode())
    return scratch


def _registered(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLNode]:
    return [scene.GetNthRegisteredNodeClass(index) for index in range(scene.GetNumberOfRegisteredNodeClasses())]
