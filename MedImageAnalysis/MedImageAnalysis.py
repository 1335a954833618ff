"""From an image to a table of calibrated probabilities, in 3D Slicer.

This file is only the face: the panel, the console's logic and the self-test. All computing is in MedImageAnalysisLib,
which is imported inside functions, so that starting Slicer costs nothing.
"""
# ruff: noqa: PT009  (Slicer runs its self-tests by unittest)

import contextlib
import os
import subprocess
from typing import Union

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTableNode, vtkMRMLVectorVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

#
# MedImageAnalysis
#


class MedImageAnalysis(ScriptedLoadableModule):
    """The module as Slicer's module list knows it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Medical Image Analysis")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Segmentations", "Volumes", "Tables"]
        self.parent.contributors = ["MedImageAnalysis contributors"]
        self.parent.helpText = _("""
Preprocesses, segments, measures and recognizes X-ray, CT, MRI and ultrasound images: from an image to a table of
calibrated probabilities, in one click.
<p>For research use only. Not for clinical decisions.</p>
See more information in the
<a href="https://github.com/MedImageAnalysis/SlicerMedImageAnalysis#readme">documentation</a>.
""")
        self.parent.acknowledgementText = _(
            "Built on 3D Slicer, SimpleITK, NumPy, SciPy and scikit-image. Presets and models name what they rest on."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


#
# Sample data
#


def registerSampleData() -> None:
    """Add radiographs to the Sample Data module, which has none of its own.

    They are test files of the pydicom project (MIT license), made public by the DICOM committee (NEMA WG-04).
    """
    import SampleData

    folder = os.path.join(os.path.dirname(__file__), "Resources", "SampleData")
    source = "https://github.com/pydicom/pydicom-data/raw/39a2eb31815eec435dc26c322c27aec5cfcbddb6/data/"
    for name, fileName, digest in (
        ("ChestRadiograph", "RG1_UNCR.dcm", "946f28f48b9fbf360196a9b835c8fce83b0c654bf85a5107663c8a61df02e498"),
        ("ExtremityRadiograph", "RG3_UNCR.dcm", "6babfc42dd404213e1758d6dbb93648c248783cc23f593103fff4295c3374dfb"),
    ):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="Medical Image Analysis",
            sampleName=name,
            thumbnailFileName=os.path.join(folder, f"{name}.png"),
            uris=source + fileName,
            fileNames=fileName,
            nodeNames=name,
            checksums=f"SHA256:{digest}",
            customDownloader=loadSampleRadiograph,
        )


def loadSampleRadiograph(source) -> vtkMRMLScalarVolumeNode:
    """Download a radiograph, check it, and load it with bone bright (it is stored as MONOCHROME1: bone dark)."""
    import SampleData

    from MedImageAnalysisLib.image import read_image
    from MedImageAnalysisLib.mrml import nodeFromVolume

    logic = SampleData.SampleDataLogic()
    path = logic.downloadFileIntoCache(source.uris[0], source.fileNames[0], source.checksums[0])
    volumeNode = nodeFromVolume(read_image(path), name=source.nodeNames[0])
    slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)
    return volumeNode


#
# MedImageAnalysisParameterNode
#


@parameterNodeWrapper
class MedImageAnalysisParameterNode:
    """What the user chose and what was found: saved and restored with the scene.

    inputVolume - The image to analyze.
    inputSegmentation - An existing segmentation that replaces the automatic one.
    preset - Name of the preset, or "auto".
    showResults - Whether results are shown in the views when the analysis is done.
    summary - What was recognized, as rich text.
    findings - What bears on trust in the results, as rich text.
    probabilities, measurements, features - The tables of results.
    """

    inputVolume: Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007  Slicer 5.10 has no "|"
    inputSegmentation: vtkMRMLSegmentationNode
    preset: str = "auto"
    showResults: bool = True
    summary: str = ""
    findings: str = ""
    probabilities: vtkMRMLTableNode
    measurements: vtkMRMLTableNode
    features: vtkMRMLTableNode


#
# MedImageAnalysisWidget
#


class MedImageAnalysisWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: inputs and preset, one button, progress, results.

    The computing runs in a worker thread that touches neither Qt nor MRML; a timer asks it for news.
    """

    POLL_INTERVAL_MS = 50
    POLL_WAIT_S = 0.02

    def __init__(self, parent=None) -> None:
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._presets = {}
        self._task = None
        self._analyzedVolume = None
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel when the user opens the module for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedImageAnalysis.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedImageAnalysisLogic()
        header = self.ui.probabilitiesTableWidget.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        self.ui.featuresTableView.verticalHeader().setMaximumWidth(230)
        self._fillPresets()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.presetComboBox.connect("currentIndexChanged(int)", self.onPresetChosen)
        self.ui.analyzeButton.connect("clicked(bool)", self.onAnalyzeButton)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Stop what runs when the application closes or the module is reloaded."""
        self._abandon()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Make sure the parameter node exists each time the user opens this module."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Do not react to the parameter node while another module is shown."""
        if self._task is None:
            self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Forget what belongs to the scene that is being closed."""
        self._abandon()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event) -> None:
        """Start afresh in the empty scene."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Ensure that the parameter node exists and is observed, and propose the first image."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            firstVolumeNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if firstVolumeNode:
                self._parameterNode.inputVolume = firstVolumeNode

    def setParameterNode(self, parameterNode) -> None:
        """Bind the panel to the parameter node, or to none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.onParametersModified()

    def onParametersModified(self, caller=None, event=None) -> None:
        """Show what the parameter node holds, beyond the widgets that are bound to it."""
        self._showPreset()
        self._showTables()
        self._updateControls()

    def onPresetChosen(self, index: int) -> None:
        """Keep the user's choice."""
        if self._parameterNode and index >= 0:
            self._parameterNode.preset = self.ui.presetComboBox.itemData(index)

    def onAnalyzeButton(self) -> None:
        """Start, or cancel what runs."""
        if self._task is None:
            self._start()
        else:
            self._task.cancel()
        self._updateControls()

    def _start(self) -> None:
        """Read the nodes, then compute in a worker thread."""
        from MedImageAnalysisLib.panel.background import BackgroundTask

        inputs = self._parameterNode
        self._showStatus("")
        with self._errorsShown():
            ensurePackages(self.resourcePath("requirements.txt"))
            self._analyzedVolume = inputs.inputVolume
            computation = self.logic.computation(self._analyzedVolume, inputs.preset, inputs.inputSegmentation)
            self._task = BackgroundTask(computation)
            qt.QTimer.singleShot(0, self._poll)

    def _poll(self) -> None:
        """Show the progress of the task; when it has ended, its results."""
        task = self._task
        if task is None:
            return  # abandoned: the scene was closed
        if not task.wait(self.POLL_WAIT_S):
            message, fraction = task.progress
            self.ui.progressBar.value = round(fraction * self.ui.progressBar.maximum)
            self._showStatus(_("Stops at the end of this step.") if task.cancelling else message)
            qt.QTimer.singleShot(self.POLL_INTERVAL_MS, self._poll)
            return
        self._task = None
        self._showStatus("")
        self._updateControls()
        with self._errorsShown():
            self._keep(task.result())

    def _keep(self, analysis) -> None:
        """Turn an analysis into nodes, and show them."""
        from MedImageAnalysisLib.panel.rich_text import findings_html, summary_html

        inputs = self._parameterNode
        stillThere = slicer.mrmlScene.IsNodePresent(self._analyzedVolume)
        nodes = self.logic.createNodes(analysis, self._analyzedVolume if stillThere else None)
        with slicer.util.NodeModify(inputs):
            inputs.summary = summary_html(analysis)
            inputs.findings = findings_html(analysis)
            inputs.probabilities = nodes.probabilities
            inputs.measurements = nodes.measurements
            inputs.features = nodes.features
        self.ui.resultsCollapsibleButton.collapsed = False
        if inputs.showResults:
            self.logic.show(nodes)

    def _abandon(self) -> None:
        """Cancel what runs and forget it."""
        if self._task:
            self._task.cancel()
        self._task = None
        self._showStatus("")
        self._updateControls()

    @contextlib.contextmanager
    def _errorsShown(self):
        """Show errors in words; whatever happens, the button is free for the next analysis."""
        from MedImageAnalysisLib.errors import Cancelled, MedImageError

        # A defect of this package is shown with its traceback and raised again.
        with slicer.util.tryWithErrorDisplay(_("The analysis failed.")):
            try:
                yield
            except Cancelled:
                self._showStatus(_("Cancelled. Nothing was changed."))
            except MedImageError as error:
                self._showStatus(str(error))
                slicer.util.errorDisplay(str(error), windowTitle=_("Medical Image Analysis"))

    def _fillPresets(self) -> None:
        """Offer what the library has."""
        from MedImageAnalysisLib.choice import AUTO
        from MedImageAnalysisLib.preset import available_presets

        combo = self.ui.presetComboBox
        combo.addItem(_("Choose automatically"), AUTO)
        with self._errorsShown():
            self._presets = {preset.name: preset for preset in available_presets()}
        for preset in self._presets.values():
            combo.addItem(preset.title, preset.name)
            combo.setItemData(combo.count - 1, preset.description, qt.Qt.ToolTipRole)

    def _showPreset(self) -> None:
        """Show the chosen preset and its steps."""
        from MedImageAnalysisLib.panel.rich_text import steps_text

        name = self._parameterNode.preset
        preset = self._presets.get(name)
        index = self.ui.presetComboBox.findData(name)
        self.ui.presetComboBox.setCurrentIndex(index)
        if preset:
            description = preset.description
        elif index >= 0:
            description = _("By the image's modality, body part and dimension; asks you when they do not tell.")
        else:
            description = _("The preset '{name}' is not installed here.").format(name=name)
        self.ui.presetDescriptionLabel.text = description
        self.ui.stepsTextEdit.setPlainText(steps_text(preset) if preset else "")

    def _showTables(self) -> None:
        """Show the tables of results, also those of a scene that was loaded."""
        from MedImageAnalysisLib.mrml import tableFromNode
        from MedImageAnalysisLib.panel.rich_text import probability_rows

        self.ui.measurementsTableView.setMRMLTableNode(self._parameterNode.measurements)
        self.ui.measurementsTableView.resizeColumnsToContents()
        self.ui.featuresTableView.setMRMLTableNode(self._parameterNode.features)
        self.ui.featuresTableView.resizeColumnsToContents()
        tableNode = self._parameterNode.probabilities
        rows = probability_rows(tableFromNode(tableNode)) if tableNode else ()
        self.ui.probabilitiesTableWidget.setRowCount(0)
        self.ui.probabilitiesTableWidget.setRowCount(len(rows))
        for index, row in enumerate(rows):
            self._showProbability(index, row)
        self.ui.probabilitiesTableWidget.resizeRowsToContents()

    def _showProbability(self, index: int, row) -> None:
        """Show one category: its name, a bar, its probability with bounds, and whether it cannot be ruled out."""
        table = self.ui.probabilitiesTableWidget
        for column, text in enumerate((row.category, "", row.probability, row.bounds, row.mark)):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(row.note)
            table.setItem(index, column, item)
        if row.share is not None:
            bar = qt.QProgressBar()
            bar.maximum = 1000
            bar.value = round(1000 * row.share)
            bar.textVisible = False
            bar.enabled = bool(row.mark)
            table.setCellWidget(index, 1, bar)

    def _updateControls(self) -> None:
        """Bring button, inputs and progress bar in line with what runs."""
        running = self._task is not None
        cancelling = running and self._task.cancelling
        ready = bool(self._parameterNode and self._parameterNode.inputVolume)
        button = self.ui.analyzeButton
        button.text = _("Cancelling\u2026") if cancelling else _("Cancel") if running else _("Analyze")
        button.enabled = not cancelling if running else ready
        button.toolTip = _("Run all stages of the preset.") if ready else _("Choose an image first.")
        self.ui.inputsCollapsibleButton.enabled = not running
        self.ui.progressBar.visible = running

    def _showStatus(self, text: str) -> None:
        self.ui.statusLabel.text = text
        self.ui.statusLabel.visible = bool(text)


#
# MedImageAnalysisLogic
#


class MedImageAnalysisLogic(ScriptedLoadableModuleLogic):
    """The same analysis for scripts and the Python console, without a GUI and without message boxes.

    >>> nodes = MedImageAnalysisLogic().analyze(getNode("ChestRadiograph"), preset="chest-xray")
    """

    def getParameterNode(self) -> MedImageAnalysisParameterNode:
        """Return the wrapped parameter node of the scene."""
        return MedImageAnalysisParameterNode(super().getParameterNode())

    def analyze(self, volumeNode, preset="chest-xray", segmentationNode=None, progress=None):
        """Analyze a volume and return the nodes of the results.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode
        preset : str
            Name of a preset, path of a preset file, or "auto".
        segmentationNode : vtkMRMLSegmentationNode, optional
            An existing segmentation that replaces the automatic one.
        progress : MedImageAnalysisLib.progress.Progress, optional

        Returns
        -------
        MedImageAnalysisLib.mrml.AnalysisNodes
        """
        from MedImageAnalysisLib.progress import Progress

        computation = self.computation(volumeNode, preset, segmentationNode)
        return self.createNodes(computation(progress or Progress()), volumeNode)

    def computation(self, volumeNode, preset, segmentationNode=None):
        """Read the nodes now, and return a function of a Progress that computes the analysis.

        The function touches neither Qt nor MRML, so it may run in another thread.
        """
        from MedImageAnalysisLib.choice import AUTO, choose_preset
        from MedImageAnalysisLib.mrml import segmentationFromNode, volumeFromNode
        from MedImageAnalysisLib.pipeline import run
        from MedImageAnalysisLib.preset import load_preset

        if preset == AUTO:
            chosen = choose_preset(volumeFromNode(volumeNode, color="luminance")).preset
        else:
            chosen = load_preset(preset)
        image = volumeFromNode(volumeNode, color=chosen.color)
        segmentation = segmentationFromNode(segmentationNode, volumeNode) if segmentationNode else None
        return lambda progress: run(image, chosen, segmentation=segmentation, progress=progress)

    def createNodes(self, analysis, volumeNode=None):
        """Add the results to the scene; the volume keeps its place as their reference."""
        from MedImageAnalysisLib.mrml import nodesFromAnalysis

        nodes = nodesFromAnalysis(analysis, volumeNode)
        nodes.features.SetUseFirstColumnAsRowHeader(True)  # segment names head the rows
        return nodes

    def show(self, nodes) -> None:
        """Show image, segmentation and probabilities in the views, where there are views."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        slicer.util.setSliceViewerLayers(background=nodes.volume, fit=True)
        layoutManager.setLayout(slicer.modules.tables.logic().GetLayoutWithTable(layoutManager.layout))
        slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(nodes.probabilities.GetID())
        slicer.app.applicationLogic().PropagateTableSelection()


def ensurePackages(requirementsPath: str) -> None:
    """Install, after asking, the Python packages that Slicer does not bundle; MissingPackageError if that fails."""
    from MedImageAnalysisLib.errors import MissingPackageError
    from MedImageAnalysisLib.software import installed_version

    try:
        from slicer.packaging import load_requirements, pip_ensure
    except ImportError:  # Slicer 5.10
        if not installed_version("scikit-image"):
            slicer.util.pip_install(["-r", requirementsPath])
        return
    try:
        pip_ensure(load_requirements(requirementsPath), requester="MedImageAnalysis")
    except (RuntimeError, subprocess.CalledProcessError) as failure:  # declined by the user, or pip failed
        raise MissingPackageError.of("scikit-image", "all", _("The analysis")) from failure


#
# MedImageAnalysisTest
#


class MedImageAnalysisTest(ScriptedLoadableModuleTest):
    """The module from end to end on an image that is made here, so without network."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_AnalyzeRadiograph(self):
        """All four stages give nodes that belong together."""
        from MedImageAnalysisLib.mrml import nodeFromVolume
        from MedImageAnalysisLib.phantom import chest_radiograph
        from MedImageAnalysisLib.software import installed_version

        if not installed_version("scikit-image"):
            self.skipTest("scikit-image is not installed: press Analyze once, or slicer.util.pip_install it")
        volumeNode = nodeFromVolume(chest_radiograph(), "Radiograph")
        nodes = MedImageAnalysisLogic().analyze(volumeNode, preset="chest-xray")
        self.assertIs(nodes.volume, volumeNode)
        segmentation = nodes.segmentation.GetSegmentation()
        self.assertTrue(segmentation.GetSegmentIdBySegmentName("Left lung"))
        self.assertTrue(segmentation.GetSegmentIdBySegmentName("Right lung"))
        self.assertEqual(nodes.features.GetNumberOfRows(), segmentation.GetNumberOfSegments())
        self.assertGreaterEqual(nodes.measurements.GetNumberOfRows(), 1)
