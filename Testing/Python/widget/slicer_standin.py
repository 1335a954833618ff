"""What 3D Slicer adds to the slicer-core wheel, as far as the module uses it: application, scripted modules, packages.

The scene, its nodes and ``slicer.util`` are the wheel's real ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import types
import typing
import unittest
from collections.abc import Iterator
from pathlib import Path

import qt_standin
import widgets_standin
from qt_standin import qt

__all__ = ["running_slicer"]

PARAMETER_NAME = "SlicerParameterName"


def parameterNodeWrapper(cls: type) -> type:
    """Give a class of annotated fields typed properties on a MRML parameter node, and a two-way binding to widgets."""
    kinds = typing.get_type_hints(cls)
    defaults = {name: vars(cls).get(name) for name in kinds}
    for name, kind in kinds.items():
        setattr(cls, name, _parameter(name, kind, defaults[name]))
    cls.allParameters = kinds
    return type(cls.__name__, (_ParameterNode, cls), {"__doc__": cls.__doc__})


def _parameter(name: str, kind, default) -> property:
    import slicer

    kinds = tuple(one for one in typing.get_args(kind) or (kind,) if one is not type(None))
    if all(issubclass(one, slicer.vtkMRMLNode) for one in kinds):

        def read(self):
            return self.parameterNode.GetNodeReference(name)

        def write(self, node):
            if node is not None and not isinstance(node, kinds):
                raise ValueError(f"{name} takes {kinds}, not a {type(node).__name__}")
            self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None)

    else:

        def read(self):
            text = self.parameterNode.GetParameter(name)
            known = self.parameterNode.HasParameter(name)
            return default if not known else text == "True" if kind is bool else kind(text)

        def write(self, value):
            if type(value) is not kind:
                raise ValueError(f"{name} takes a {kind.__name__}, not {value!r}")
            self.parameterNode.SetParameter(name, str(value))

    return property(read, write)


class _ParameterNode:
    """The part of a parameter node wrapper that is the same for all."""

    def __init__(self, parameterNode):
        self.parameterNode = parameterNode
        self._bindings, self._updating = {}, False

    def __getattr__(self, name):
        if name in ("AddObserver", "RemoveObserver", "StartModify", "EndModify", "Modified"):
            return getattr(self.parameterNode, name)
        raise AttributeError(name)

    def connectGui(self, gui) -> int:
        """Bind each widget that names a parameter; return the tag that releases them."""
        import vtk

        widgets = {
            name: widget for widget in vars(gui).values() if (name := qt_standin.property_of(widget, PARAMETER_NAME))
        }
        unknown = set(widgets) - set(self.allParameters)
        if unknown:
            raise ValueError(f"the .ui file binds parameters that do not exist: {unknown}")
        connected = [(*_CONNECTORS[type(widget).__name__], name, widget) for name, widget in widgets.items()]

        def show(*_):
            if self._updating:
                return
            self._updating = True
            for _signal, _read, write, name, widget in connected:
                write(widget, getattr(self, name))
            self._updating = False

        show()
        slots = []
        for signal, read, _write, name, widget in connected:
            if signal:
                slots.append((widget, signal, self._keeper(name, read, widget)))
                widget.connect(*slots[-1][1:])
        tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
        self._bindings[tag] = slots
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Release the widgets bound by `connectGui`."""
        for widget, signal, slot in self._bindings.pop(tag, ()):
            widget.disconnect(signal, slot)
        self.parameterNode.RemoveObserver(tag)

    def _keeper(self, name, read, widget):
        def keep():
            if not self._updating:
                setattr(self, name, read(widget))

        return keep


# By class of widget: its signal, how its value is read, and how it is shown.
_CONNECTORS = {
    "qMRMLNodeComboBox": (
        "currentNodeChanged(vtkMRMLNode*)",
        lambda widget: widget.currentNode(),
        lambda widget, node: widget.setCurrentNode(node),
    ),
    "QCheckBox": (
        "toggled(bool)",
        lambda widget: widget.checked,
        lambda widget, value: widget.setChecked(value),
    ),
    "QLineEdit": (
        "textChanged(QString)",
        lambda widget: widget.text,
        lambda widget, value: widget.setText(value),
    ),
    "QLabel": ("", lambda widget: widget.text, lambda widget, value: widget.setText(value)),
}


class ScriptedLoadableModule:
    """Fills in the module's description."""

    def __init__(self, parent):
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """Owns the panel's parent widget and layout."""

    def __init__(self, parent=None):
        import slicer

        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or slicer.qMRMLWidget()
        self.layout = self.parent.layout()

    def setup(self):
        """Slicer adds its developer section here."""

    def resourcePath(self, filename):
        """Return the path of a file in the module's folder Resources."""
        import slicer

        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)


class ScriptedLoadableModuleLogic:
    """Finds or makes the module's one parameter node."""

    def __init__(self):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        """Return the singleton node of the scene."""
        import slicer

        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Slicer's own runs every callable with "test" in its name; so does unittest."""


class SampleDataLogic:
    """Remembers what was registered, and finds "downloads" in the pydicom-data package."""

    sources: typing.ClassVar[list[types.SimpleNamespace]] = []

    @classmethod
    def registerCustomSampleDataSource(cls, **source):
        """Keep the source."""
        for plural in ("uris", "fileNames", "nodeNames", "checksums"):
            source[plural] = [source[plural]]
        cls.sources.append(types.SimpleNamespace(**source))

    def downloadFileIntoCache(self, uri, name, checksum):
        """Return the path of a file with that name and checksum."""
        import data_store

        path = Path(data_store.__file__).parent / "data" / name
        if f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}" != checksum:
            raise ValueError(f"checksum of {uri} differs")
        return str(path)


def _application() -> types.SimpleNamespace:
    """Return what stands for `slicer.app`: no main window, and testing enabled, so that no message box opens."""
    startup, settings = [], {}
    user_settings = types.SimpleNamespace(value=settings.get, setValue=settings.__setitem__, clear=settings.clear)
    return types.SimpleNamespace(
        applicationName="Slicer",
        connect=lambda signal, slot: startup.append((signal, slot)),
        startup=startup,
        layoutManager=lambda: None,
        testingEnabled=lambda: True,
        userSettings=lambda: user_settings,
        processEvents=qt_standin.application().processEvents,
        setOverrideCursor=lambda cursor: None,
        restoreOverrideCursor=lambda: None,
    )


def _new_module_widget(name: str) -> ScriptedLoadableModuleWidget:
    """Return a panel of its own, as `slicer.util.getNewModuleWidget` does."""
    import slicer

    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    panel = getattr(sys.modules[name], f"{name}Widget")(parent)
    panel.setup()
    return panel


def _module(name: str, **contents) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(contents)
    return module


@contextlib.contextmanager
def running_slicer(module_file: Path) -> Iterator[types.ModuleType]:
    """Dress the slicer-core wheel as Slicer with one scripted module; everything is taken off again at the end.

    The scene must have been started before.
    """
    import slicer
    import slicer.util

    installs = []
    modules = {
        "qt": qt,
        "ctk": _module(
            "ctk",
            ctkCollapsibleButton=widgets_standin.ctkCollapsibleButton,
            ctkPathLineEdit=widgets_standin.ctkPathLineEdit,
        ),
        "slicer.i18n": _module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text),
        "slicer.packaging": _module(
            "slicer.packaging",
            load_requirements=lambda path: Path(path).read_text(encoding="utf-8").splitlines(),
            pip_ensure=lambda requirements, requester: installs.append((requester, requirements)),
            installs=installs,
        ),
        "slicer.parameterNodeWrapper": _module(
            "slicer.parameterNodeWrapper", parameterNodeWrapper=parameterNodeWrapper
        ),
        "slicer.ScriptedLoadableModule": _module(
            "slicer.ScriptedLoadableModule",
            ScriptedLoadableModule=ScriptedLoadableModule,
            ScriptedLoadableModuleWidget=ScriptedLoadableModuleWidget,
            ScriptedLoadableModuleLogic=ScriptedLoadableModuleLogic,
            ScriptedLoadableModuleTest=ScriptedLoadableModuleTest,
        ),
        "SampleData": _module("SampleData", SampleDataLogic=SampleDataLogic),
    }
    before = dict(vars(slicer))
    replaced = {"modulePath": lambda name: str(module_file), "getNewModuleWidget": _new_module_widget}
    originals = {name: getattr(slicer.util, name) for name in replaced}
    sys.modules.update(modules)
    slicer.app = _application()
    for name, module in modules.items():
        if name.startswith("slicer."):
            setattr(slicer, name.removeprefix("slicer."), module)
    vars(slicer.util).update(replaced)
    for name in ("qMRMLWidget", "qMRMLNodeComboBox", "qMRMLTableView"):
        setattr(slicer, name, getattr(widgets_standin, name))
    try:
        yield slicer
    finally:
        vars(slicer.util).update(originals)
        for name in modules:
            sys.modules.pop(name, None)
        for name in set(vars(slicer)) - set(before):
            delattr(slicer, name)
