"""Stand-ins for the few CTK and MRML widgets that the panel uses: same names, properties, signals and slots."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget
from qt_standin import Property, Signal, UiLoader, qt

__all__ = ["ctkCollapsibleButton", "ctkPathLineEdit", "qMRMLNodeComboBox", "qMRMLTableView", "qMRMLWidget"]

HEADER_HEIGHT = 24
ARROWS = {True: "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}", False: "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"}


class ctkCollapsibleButton(qt.QFrame):
    """A heading over contents that a click hides."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self.setContentsMargins(0, HEADER_HEIGHT, 0, 0)

    def _set_text(self, text):
        self._text = text
        self.update()

    def _set_collapsed(self, collapsed):
        self._collapsed = collapsed
        for child in self.findChildren(QWidget, options=qt.Qt.FindDirectChildrenOnly):
            child.setVisible(not collapsed)
        self.setContentsMargins(0, 0 if collapsed else HEADER_HEIGHT, 0, 0)
        self.setMaximumHeight(HEADER_HEIGHT if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)
        self.update()

    text = Property(str, lambda self: self._text, _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def childEvent(self, event):
        # The .ui file collapses it before it gives it children.
        if self._collapsed and event.type() == qt.QEvent.ChildPolished and event.child().isWidgetType():
            event.child().setVisible(False)

    def mousePressEvent(self, event):
        if event.position().y() < HEADER_HEIGHT:
            self.collapsed = not self._collapsed

    def paintEvent(self, event):
        painter = qt.QPainter(self)
        painter.setRenderHint(qt.QPainter.Antialiasing)
        header = qt.QRectF(0, 0, self.width, HEADER_HEIGHT - 2)
        painter.setPen(qt.Qt.NoPen)
        painter.setBrush(self.palette.button().color().darker(106))
        painter.drawRoundedRect(header, 3, 3)
        painter.setPen(self.palette.buttonText().color())
        painter.drawText(header.adjusted(8, 0, 0, 0), qt.Qt.AlignVCenter, f"{ARROWS[self._collapsed]}  {self._text}")
        painter.end()


class ctkPathLineEdit(qt.QWidget):
    """A path to type or to browse for."""

    Dirs = 1
    currentPathChanged = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._filters = None
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.box = qt.QLineEdit()
        layout.addWidget(self.box)
        layout.addWidget(qt.QToolButton(text="\N{HORIZONTAL ELLIPSIS}"))
        self.box.textChanged.connect(self.currentPathChanged)

    def _set_filters(self, filters):
        self._filters = filters

    filters = Property(int, lambda self: self._filters, _set_filters)
    currentPath = Property(str, lambda self: self.box.text, lambda self, path: self.box.setText(path))


class qMRMLWidget(qt.QWidget):
    """A widget that hands its scene on; in Slicer the <connections> of the .ui file do that."""

    isEntered = True

    def setMRMLScene(self, scene):
        for child in self.findChildren(QWidget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)


def _flag(name: str, kind: type) -> Property:
    """Return a property of the node selector that only changes what it offers."""

    def write(self, value):
        self._flags[name] = value
        self._fill()

    return Property(kind, lambda self: self._flags.get(name), write)


class qMRMLNodeComboBox(qt.QWidget):
    """Offers the nodes of some classes, as they come and go."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._types, self._observers, self._shown = None, [], [], None
        self._flags = {"showChildNodeTypes": True, "noneEnabled": False, "noneDisplay": "None"}
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.box = qt.QComboBox()
        layout.addWidget(self.box)
        self.box.connect("currentIndexChanged(int)", self._announce)

    def _set_types(self, node_types):
        self._types = list(node_types)
        self._fill()

    nodeTypes = Property("QStringList", lambda self: self._types, _set_types)
    showChildNodeTypes = _flag("showChildNodeTypes", bool)
    noneEnabled = _flag("noneEnabled", bool)
    noneDisplay = _flag("noneDisplay", str)
    addEnabled = _flag("addEnabled", bool)
    removeEnabled = _flag("removeEnabled", bool)

    def setMRMLScene(self, scene):
        for tag in self._observers:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent) if scene else ()
        self._observers = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
        self._fill()

    def currentNode(self):
        return self._scene.GetNodeByID(self.box.currentData) if self._scene and self.box.currentData else None

    def setCurrentNode(self, node):
        self.box.setCurrentIndex(self.box.findData(node.GetID() if node else ""))

    def _fill(self):
        chosen = self.box.currentData
        self.box.blockSignals(True)
        self.box.clear()
        if self._flags["noneEnabled"]:
            self.box.addItem(self._flags["noneDisplay"], "")
        for node in self._nodes():
            self.box.addItem(node.GetName(), node.GetID())
        index = self.box.findData(chosen)
        self.box.setCurrentIndex(index if index >= 0 else min(0, self.box.count - 1))
        self.box.blockSignals(False)
        self._announce()

    def _nodes(self):
        for node_type in self._types if self._scene else ():
            for index in range(self._scene.GetNumberOfNodesByClass(node_type)):
                node = self._scene.GetNthNodeByClass(index, node_type)
                if self._flags["showChildNodeTypes"] or node.GetClassName() == node_type:
                    yield node

    def _announce(self):
        if self.box.currentData != self._shown:
            self._shown = self.box.currentData
            self.currentNodeChanged.emit(self.currentNode())


class qMRMLTableView(qt.QTableView):
    """Shows a table node, with the columns' titles and units."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._transposed, self._node = False, None

    def _set_transposed(self, transposed):
        self._transposed = transposed

    transposed = Property(bool, lambda self: self._transposed, _set_transposed)

    def mrmlTableNode(self):
        return self._node

    def setMRMLTableNode(self, node):
        self._node = node
        model = qt.QStandardItemModel(self)
        self.setModel(model)
        if node is None:
            return
        headed = node.GetUseFirstColumnAsRowHeader()
        columns = range(1 if headed else 0, node.GetNumberOfColumns())
        for row in range(node.GetNumberOfRows()):
            items = [qt.QStandardItem(node.GetCellText(row, column)) for column in columns]
            (model.appendColumn if self._transposed else model.appendRow)(items)
        titles = [self._title(node, node.GetColumnName(column)) for column in columns]
        rows = [node.GetCellText(row, 0) if headed else str(row + 1) for row in range(node.GetNumberOfRows())]
        across, down = (rows, titles) if self._transposed else (titles, rows)
        model.setHorizontalHeaderLabels(across)
        model.setVerticalHeaderLabels(down)

    @staticmethod
    def _title(node, name):
        unit = node.GetColumnUnitLabel(name)
        return (node.GetColumnTitle(name) or name) + (f" [{unit}]" if unit else "")


UiLoader.classes.update(
    {
        cls.__name__: cls
        for cls in (ctkCollapsibleButton, ctkPathLineEdit, qMRMLNodeComboBox, qMRMLTableView, qMRMLWidget)
    }
)
