"""PySide6 in the clothes of PythonQt, so that a scripted module and its .ui file run without Slicer.

PythonQt shows Qt properties as attributes (``button.text``) beside their setters (``button.setText``), takes signals by
signature (``button.connect("clicked()", slot)``), refuses unknown signals with False, and lets slots take fewer
arguments. It is a stand-in for tests: what it accepts is no proof of what PythonQt accepts.
"""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Callable
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

__all__ = ["Property", "Signal", "UiLoader", "application", "property_of", "qt"]

Property, Signal = QtCore.Property, QtCore.Signal

_QT_MODULES = (QtCore, QtGui, QtWidgets)
# Properties whose names must stay methods: C++ calls the getters virtually, and QTimer.singleShot is static too.
_METHODS = {("QWidget", "sizeHint"), ("QWidget", "minimumSizeHint"), ("QProgressBar", "text"), ("QTimer", "singleShot")}
_get_property = QtCore.QObject.property
_set_property = QtCore.QObject.setProperty
# Signal and wrapped slot by object, signature and slot.
_connections: dict[tuple[int, str, Any], tuple[Any, Callable]] = {}


def application() -> QtWidgets.QApplication:
    """Return the one application of this process."""
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def _attribute(name: str, writable: bool) -> property:
    def read(self):
        return _get_property(self, name)

    def write(self, value):
        if not _set_property(self, name, value):
            raise ValueError(f"{type(self).__name__}.{name} does not take {value!r}")

    return property(read, write if writable else None)


def _show_properties(cls: type[QtCore.QObject]) -> None:
    """Replace the getters of Qt properties by attributes, on PySide6's class itself."""
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if (cls.__name__, name) not in _METHODS:
            setattr(cls, name, _attribute(name, meta.property(index).isWritable()))


def _connect(self, signature: str, *target) -> bool:
    """Connect as PythonQt does: by signature, to a callable or to (object, "method()"); False for unknown signals."""
    name, _, arguments = signature.partition("(")
    meta = self.metaObject()
    signals = {
        bytes(method.name()).decode()
        for method in map(meta.method, range(meta.methodCount()))
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal
    }
    if name not in signals:
        return False
    slot = target[0] if len(target) == 1 else getattr(target[0], target[1].partition("(")[0])
    given = len([argument for argument in arguments.rstrip(")").split(",") if argument.strip()])
    taken = _taken(slot, given)

    def call(*values):
        slot(*values[:taken])

    signal = getattr(self, name)
    signal.connect(call)
    _connections[id(self), signature, slot] = signal, call
    return True


def _disconnect(self, signature: str, *target) -> bool:
    slot = target[0] if len(target) == 1 else getattr(target[0], target[1].partition("(")[0])
    signal, call = _connections.pop((id(self), signature, slot), (None, None))
    if signal is None:
        return False
    signal.disconnect(call)
    return True


def _taken(slot: Callable, given: int) -> int:
    """Return how many of the `given` arguments the slot takes."""
    try:
        parameters = inspect.signature(slot).parameters.values()
    except (TypeError, ValueError):  # a method of a C++ class
        return given
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return given
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return min(given, sum(parameter.kind in positional for parameter in parameters))


def _give_connections(cls: type) -> None:
    cls.connect, cls.disconnect = _connect, _disconnect


def _with_pythonqt_connections(cls: type[QtCore.QObject]) -> type[QtCore.QObject]:
    """Return a thin subclass that has PythonQt's `connect` and `disconnect`; so have its subclasses.

    PySide6 does not look up these two on instances of its own classes, hence the subclass.
    """
    body = {"connect": _connect, "disconnect": _disconnect, "__init_subclass__": classmethod(_give_connections)}
    return type(cls.__name__, (cls,), body)


class UiLoader(QtUiTools.QUiLoader):
    """Loads .ui files, making stand-ins for the classes that Slicer's designer plugins would make."""

    classes: dict[str, type] = {}  # noqa: RUF012  filled once, before the first file is loaded
    _kept: list[QtCore.QObject] = []  # noqa: RUF012  Python owns what it made: without this they would vanish

    def createWidget(self, className, parent=None, name=""):
        if className not in self.classes:
            raise KeyError(f"there is no stand-in for {className}: is the name right?")
        widget = self.classes[className](parent)
        widget.setObjectName(name)
        self._kept.append(widget)
        return widget


def _make_qt_module() -> types.ModuleType:
    """Return a module `qt` that flattens PySide6's modules, as Slicer's does."""
    qt = types.ModuleType("qt")
    object_classes = {
        cls
        for module in _QT_MODULES
        for cls in _contents(module).values()
        if isinstance(cls, type) and issubclass(cls, QtCore.QObject) and hasattr(cls, "staticMetaObject")
    }
    for cls in sorted(object_classes, key=lambda cls: (len(cls.__mro__), cls.__name__)):
        _show_properties(cls)
    QtCore.QObject.name = property(_object_name, QtCore.QObject.setObjectName)
    QtCore.QObject.className = lambda self: self.metaObject().className()
    QtCore.QObject.delete = QtCore.QObject.deleteLater
    for module in (*_QT_MODULES, QtUiTools):
        for name, value in _contents(module).items():
            derivable = value in object_classes and not issubclass(value, QtCore.QCoreApplication)
            setattr(qt, name, _with_pythonqt_connections(value) if derivable else value)
    qt.QUiLoader = UiLoader
    UiLoader.classes.update({name: value for name, value in vars(qt).items() if _is_widget(value)})
    return qt


def _contents(module: types.ModuleType) -> dict[str, Any]:
    """Return what a PySide6 module offers; it fills itself at the first look, so `vars` would miss most of it."""
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}


def _object_name(self) -> str:
    return _get_property(self, "objectName")


def _is_widget(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, QtWidgets.QWidget)


def property_of(widget: QtCore.QObject, name: str) -> Any:
    """Return a dynamic property of a widget, or None."""
    return _get_property(widget, name)


qt = _make_qt_module()
