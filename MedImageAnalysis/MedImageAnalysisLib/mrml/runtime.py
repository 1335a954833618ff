"""A Slicer without its application, on the slicer-core wheel.

:class:`EmbeddedSlicer` starts what the application would: a scene, the logics that register node classes, and
a subject hierarchy that follows the nodes.
"""

from __future__ import annotations

import tempfile
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .access import import_slicer, in_application

if TYPE_CHECKING:
    import slicer

__all__ = ["EmbeddedSlicer"]

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


class EmbeddedSlicer:
    """A scene with logics on the slicer-core wheel; a context manager that cleans up behind itself.

    Examples
    --------
    >>> with EmbeddedSlicer():
    ...     nodes = nodesFromAnalysis(analysis)
    ...     save_scene("chest.mrb")
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
