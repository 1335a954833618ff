"""The scene to work in: Slicer's own, or one of our own on the slicer-core wheel, where there is no application.

:class:`EmbeddedSlicer` starts what the application would: a scene, the logics that register node classes, and
a subject hierarchy that follows the nodes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError

if TYPE_CHECKING:
    import slicer

__all__ = ["EmbeddedSlicer", "active_scene", "added_node", "import_slicer", "in_application", "remove_node"]

# Modules whose logics register the node classes that scenes hold; the terminology and remote data modules are left
# out: they look for files that the wheel does not bring, or for the network.
_LOGICS = (
    "vtkSlicerVolumesLogic",
    "vtkSlicerSegmentationsModuleLogic",
    "vtkSlicerTablesLogic",
    "vtkSlicerTextsLogic",
    "vtkSlicerPlotsLogic",
    "vtkSlicerMarkupsLogic",
    "vtkSlicerModelsLogic",
    "vtkSlicerTransformLogic",
    "vtkSlicerSubjectHierarchyModuleLogic",
)


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
    """Return Slicer's scene, or the one that :class:`EmbeddedSlicer` started."""
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


class EmbeddedSlicer:
    """A scene with logics on the slicer-core wheel; a context manager that cleans up behind itself.

    Examples
    --------
    >>> with EmbeddedSlicer() as slicer_scene:
    ...     nodes = nodesFromAnalysis(analysis)
    ...     slicer_scene.save_scene("chest.mrb")
    """

    def __init__(self) -> None:
        self._scene: slicer.vtkMRMLScene | None = None
        self._logics: list[Any] = []
        self._folder: tempfile.TemporaryDirectory | None = None
        self._observers: list[int] = []
        self._previous: slicer.vtkMRMLScene | None = None

    @property
    def scene(self) -> slicer.vtkMRMLScene:
        """The scene; RuntimeError before :meth:`start`."""
        if self._scene is None:
            raise RuntimeError("The embedded Slicer is not started: call start() first")
        return self._scene

    def start(self) -> EmbeddedSlicer:
        """Start the scene and make it `slicer.mrmlScene`.

        Raises
        ------
        MissingPackageError
            If slicer-core is not installed.
        RuntimeError
            Inside 3D Slicer, which has a scene of its own.
        """
        slicer = import_slicer()
        if in_application():
            raise RuntimeError("This is 3D Slicer: use slicer.mrmlScene, there is nothing to start")
        # Removes itself at the end of the process if nobody stops the scene.
        self._folder = tempfile.TemporaryDirectory(prefix="medimage-slicer-")
        self._scene = slicer.vtkMRMLScene()
        application = slicer.vtkSlicerApplicationLogic()
        application.SetMRMLScene(self._scene)
        application.SetTemporaryPath(self._folder.name)
        self._logics = [application, *_module_logics(slicer, self._scene, application)]
        _add_gray(self._scene)
        self._follow_nodes(slicer)
        self._previous = getattr(slicer, "mrmlScene", None)
        slicer.mrmlScene = self._scene
        return self

    def stop(self) -> None:
        """Remove all nodes and temporary files."""
        if self._scene is None:
            return
        slicer = import_slicer()
        for observer in self._observers:
            self._scene.RemoveObserver(observer)
        self._observers = []
        self._scene.Clear(True)
        if getattr(slicer, "mrmlScene", None) is self._scene:
            slicer.mrmlScene = self._previous
        self._folder.cleanup()
        self._scene, self._logics = None, []

    def __enter__(self) -> EmbeddedSlicer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def save_scene(self, path: str | Path) -> Path:
        """Save the scene as .mrb; see :func:`MedImageAnalysisLib.mrml.scene_file.save_scene`."""
        from .scene_file import save_scene

        return save_scene(path, self.scene)

    def open_scene(self, path: str | Path) -> None:
        """Replace the scene by that of an .mrb file; see :func:`MedImageAnalysisLib.mrml.scene_file.open_scene`."""
        from .scene_file import open_scene

        open_scene(path, self.scene)

    def _follow_nodes(self, slicer: ModuleType) -> None:
        """Keep one subject hierarchy item per data node, as the application's plugin handler does."""
        import vtk

        scene = self.scene
        followed = tuple(
            getattr(slicer, name) for name in ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLTextNode")
        )

        def hierarchy() -> slicer.vtkMRMLSubjectHierarchyNode:
            return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def on_added(_caller: Any, _event: str, node: Any) -> None:
            # Scene files bring the items of their nodes along.
            shown = isinstance(node, followed) and not node.GetHideFromEditors() and not scene.IsBatchProcessing()
            if shown and not hierarchy().GetItemByDataNode(node):
                hierarchy().CreateItem(hierarchy().GetSceneItemID(), node)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def on_removed(_caller: Any, _event: str, node: Any) -> None:
            item = 0 if scene.IsBatchProcessing() else hierarchy().GetItemByDataNode(node)
            if item:
                hierarchy().RemoveItem(item, False, False)

        self._observers = [
            scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, on_added),
            scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, on_removed),
        ]


def _module_logics(slicer: ModuleType, scene: Any, application: Any) -> list[Any]:
    logics = []
    for name in _LOGICS:
        logic = getattr(slicer, name)
        # The wheel has submodules of the same name as the class they hold.
        logic = (getattr(logic, name) if isinstance(logic, ModuleType) else logic)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        application.SetModuleLogic(name.removeprefix("vtkSlicer").removesuffix("Logic").removesuffix("Module"), logic)
        logics.append(logic)
    return logics


def _add_gray(scene: Any) -> None:
    """Add the color table that volumes are shown with by default, under the ID that it has in Slicer."""
    from slicer import vtkMRMLColorTableNode

    gray = vtkMRMLColorTableNode()
    gray.SetTypeToGrey()
    gray.SetName("Grey")
    gray.SetSaveWithScene(False)
    gray.SetSingletonTag(gray.GetTypeAsString())
    scene.AddNode(gray)
