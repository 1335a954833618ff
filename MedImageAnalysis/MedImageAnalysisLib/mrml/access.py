"""Access to Slicer, real or embedded: its package, its scene, and nodes that come and go without leaving traces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError

if TYPE_CHECKING:
    import slicer

__all__ = ["active_scene", "added_node", "import_slicer", "in_application", "remove_node"]


def import_slicer() -> ModuleType:
    """Return the `slicer` package.

    Raises
    ------
    MissingPackageError
        Outside Slicer, if slicer-core is not installed.
    """
    try:
        import slicer
    except ImportError as error:
        raise MissingPackageError.of("slicer-core", "slicer", "Working with Slicer scenes") from error
    return slicer


def in_application() -> bool:
    """Tell whether this runs inside 3D Slicer, as opposed to the slicer-core wheel."""
    return hasattr(import_slicer(), "app")


def active_scene() -> slicer.vtkMRMLScene:
    """Return Slicer's scene, or the one that :class:`~.runtime.EmbeddedSlicer` started."""
    scene = getattr(import_slicer(), "mrmlScene", None)
    if scene is None:
        raise RuntimeError("There is no scene yet: outside Slicer, start EmbeddedSlicer() first")
    return scene


@contextmanager
def added_node(kind: str, name: str, scene: slicer.vtkMRMLScene | None = None) -> Iterator[Any]:
    """Add a node for a block that fills it; remove it again if the block fails."""
    node = (scene or active_scene()).AddNewNodeByClass(kind, name)
    with ExitStack() as undo:
        undo.callback(remove_node, node)
        yield node
        undo.pop_all()


def remove_node(node: slicer.vtkMRMLNode) -> None:
    """Remove a node from its scene, with the display and storage nodes that serve it; nothing if it is in none."""
    scene = node.GetScene()
    if scene is None:
        return
    helpers = []
    if hasattr(node, "GetNumberOfDisplayNodes"):
        helpers += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if hasattr(node, "GetNumberOfStorageNodes"):
        helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    scene.RemoveNode(node)
    for helper in filter(None, helpers):
        if helper.GetScene():
            scene.RemoveNode(helper)
