"""From an image to a table of calibrated probabilities, in 3D Slicer.

This file is only the face: the panel, the console's logic and the self-test. All computing is in MedImageAnalysisLib,
which is imported inside functions, so that starting Slicer costs nothing.
"""
# ruff: noqa: PT009  (Slicer runs its self-tests by unittest)

import os
from pathlib import Path
from typing import Union

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
    model - Name of the recognition model that replaces those of the preset, or "".
    prevalence - How common each category is, as in "normal=80%, pneumonia=20%", or "".
    showResults - Whether results are shown in the views when the analysis is done.
    summary - What was recognized, as rich text.
    findings - What bears on trust in the results, as rich text.
    probabilities, measurements, features - The tables of results.
    """

    inputVolume: Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007  Slicer 5.10 has no "|"
    inputSegmentation: vtkMRMLSegmentationNode
    preset: str = "auto"
    model: str = ""
    prevalence: str = ""
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
    """The panel: inputs and preset, one button, progress, results; and a section to train models."""

    def __init__(self, parent=None) -> None:
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._analyzedVolume = None
        self.analysis = None
        self.choices = None
        self.training = None
        self.cine = None
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel when the user opens the module for the first time."""
        from MedImageAnalysisLib.panel.choices import Choices
        from MedImageAnalysisLib.panel.cine_section import CineSection
        from MedImageAnalysisLib.panel.training_section import TrainingSection

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/MedImageAnalysis.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = MedImageAnalysisLogic()
        self.ui.featuresTableView.verticalHeader().setMaximumWidth(230)
        self.analysis = self._analysisControls()
        self.choices = Choices(self.ui, self.analysis.say)
        self.training = TrainingSection(
            self.ui, self.logic, self._chosenPreset, self._ensurePackages, models_changed=self._fillModels
        )
        self.cine = CineSection(self.ui, self.logic, self._ensurePackages, show=self._showAnalysis)
        with self.analysis.errors_shown():
            self.choices.fill_presets()
        self._fillModels()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.ui.presetComboBox.connect("currentIndexChanged(int)", self.onPresetChosen)
        self.ui.modelComboBox.connect("currentIndexChanged(int)", self.onModelChosen)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Stop what runs when the application closes or the module is reloaded."""
        self.analysis.abandon()
        self.training.controls.abandon()
        self.cine.controls.abandon()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Make sure the parameter node exists each time the user opens this module."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Do not react to the parameter node while another module is shown."""
        if not (self.analysis.running or self.cine.controls.running):
            self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Forget what belongs to the scene that is being closed."""
        self.analysis.abandon()
        self.cine.controls.abandon()
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
        self.choices.show(self._parameterNode.preset, self._parameterNode.model)
        self._showTables()
        self.analysis.update()

    def onPresetChosen(self, index: int) -> None:
        """Keep the user's choice."""
        if self._parameterNode and index >= 0:
            self._parameterNode.preset = self.ui.presetComboBox.itemData(index)

    def onModelChosen(self, index: int) -> None:
        """Keep the user's choice."""
        if self._parameterNode and index >= 0:
            self._parameterNode.model = self.ui.modelComboBox.itemData(index)

    def _analysisControls(self):
        """Return what the button Analyze starts and cancels."""
        from MedImageAnalysisLib.panel.task_controls import Job, TaskControls

        job = Job(
            text=_("Analyze"),
            tool_tip=_("Run all stages of the preset."),
            failed=_("The analysis failed."),
            missing=lambda: "" if self._inputVolume() else _("Choose an image first."),
            begin=self._begin,
            end=self._keep,
        )
        ui = self.ui
        return TaskControls(job, ui.analyzeButton, ui.progressBar, ui.statusLabel, ui.inputsCollapsibleButton)

    def _inputVolume(self):
        return self._parameterNode.inputVolume if self._parameterNode else None

    def _chosenPreset(self) -> str:
        return self._parameterNode.preset if self._parameterNode else "auto"

    def _ensurePackages(self) -> None:
        from MedImageAnalysisLib.panel.packages import ensure_packages

        ensure_packages(self.resourcePath("requirements.txt"))

    def _begin(self):
        """Read the nodes, and return the computation."""
        inputs = self._parameterNode
        self._ensurePackages()
        self._analyzedVolume = inputs.inputVolume
        return self.logic.computation(
            self._analyzedVolume, inputs.preset, inputs.inputSegmentation, inputs.model, inputs.prevalence
        )

    def _keep(self, analysis) -> None:
        """Turn an analysis into nodes, and show them."""
        stillThere = slicer.mrmlScene.IsNodePresent(self._analyzedVolume)
        self._showAnalysis(analysis, self.logic.createNodes(analysis, self._analyzedVolume if stillThere else None))

    def _showAnalysis(self, analysis, nodes) -> None:
        """Show an analysis and its nodes as the results."""
        from MedImageAnalysisLib.panel.rich_text import findings_html, summary_html

        inputs = self._parameterNode
        with slicer.util.NodeModify(inputs):
            inputs.summary = summary_html(analysis)
            inputs.findings = findings_html(analysis)
            inputs.probabilities = nodes.probabilities
            inputs.measurements = nodes.measurements
            inputs.features = nodes.features
        self.ui.resultsCollapsibleButton.collapsed = False
        if inputs.showResults:
            self.logic.show(nodes)

    def _fillModels(self) -> None:
        """Offer the models that are here now."""
        self.choices.fill_models()
        if self._parameterNode:
            self.choices.show(self._parameterNode.preset, self._parameterNode.model)

    def _showTables(self) -> None:
        """Show the tables of results, also those of a scene that was loaded."""
        from MedImageAnalysisLib.mrml import tableFromNode
        from MedImageAnalysisLib.panel.probability_table import show_probabilities
        from MedImageAnalysisLib.panel.rich_text import probability_rows

        self.ui.measurementsTableView.setMRMLTableNode(self._parameterNode.measurements)
        self.ui.measurementsTableView.resizeColumnsToContents()
        self.ui.featuresTableView.setMRMLTableNode(self._parameterNode.features)
        self.ui.featuresTableView.resizeColumnsToContents()
        tableNode = self._parameterNode.probabilities
        rows = probability_rows(tableFromNode(tableNode)) if tableNode else ()
        show_probabilities(self.ui.probabilitiesTableWidget, rows)


#
# MedImageAnalysisLogic
#


class MedImageAnalysisLogic(ScriptedLoadableModuleLogic):
    """The same for scripts and the Python console, without a GUI and without message boxes.

    >>> nodes = MedImageAnalysisLogic().analyze(getNode("ChestRadiograph"), preset="chest-xray")
    """

    def getParameterNode(self) -> MedImageAnalysisParameterNode:
        """Return the wrapped parameter node of the scene."""
        return MedImageAnalysisParameterNode(super().getParameterNode())

    def analyze(self, volumeNode, preset="chest-xray", segmentationNode=None, progress=None, model="", prevalence=""):
        """Analyze a volume and return the nodes of the results.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode
        preset : str
            Name of a preset, path of a preset file, or "auto".
        segmentationNode : vtkMRMLSegmentationNode, optional
            An existing segmentation that replaces the automatic one.
        progress : MedImageAnalysisLib.progress.Progress, optional
        model : str, optional
            Name or folder of the recognition model that replaces those of the preset.
        prevalence : str, optional
            How common each category of the model is among the patients, as in "normal=80%, pneumonia=20%".

        Returns
        -------
        MedImageAnalysisLib.mrml.AnalysisNodes
        """
        from MedImageAnalysisLib.progress import Progress

        computation = self.computation(volumeNode, preset, segmentationNode, model, prevalence)
        return self.createNodes(computation(progress or Progress()), volumeNode)

    def computation(self, volumeNode, preset, segmentationNode=None, model="", prevalence=""):
        """Read the nodes now, and return a function of a Progress that computes the analysis.

        The function touches neither Qt nor MRML, so it may run in another thread.
        """
        from MedImageAnalysisLib.choice import AUTO, choose_preset
        from MedImageAnalysisLib.mrml import segmentationFromNode, volumeFromNode
        from MedImageAnalysisLib.pipeline import run
        from MedImageAnalysisLib.preset import load_preset
        from MedImageAnalysisLib.prevalence import parse_prevalence

        shares = parse_prevalence(filter(None, map(str.strip, prevalence.split(","))))
        if preset == AUTO:
            chosen = choose_preset(volumeFromNode(volumeNode, color="luminance")).preset
        else:
            chosen = load_preset(preset)
        chosen = chosen.with_choices((model,) if model else (), shares)
        image = volumeFromNode(volumeNode, color=chosen.color)
        segmentation = segmentationFromNode(segmentationNode, volumeNode) if segmentationNode else None
        return lambda progress: run(image, chosen, segmentation=segmentation, progress=progress)

    def analyzeCine(self, path, preset="cardiac-mri", progress=None):
        """Analyze a heart in several phases; return the nodes of end-diastole and of end-systole.

        Parameters
        ----------
        path : str
            A DICOM folder with a short-axis cine in several slices, or a 4D NIfTI, NRRD or MetaImage.
        preset : str
            Name or path of a preset that outlines the left ventricle.
        progress : MedImageAnalysisLib.progress.Progress, optional

        Returns
        -------
        tuple of MedImageAnalysisLib.mrml.AnalysisNodes
            The measurements of the first also have both volumes and the ejection fraction.
        """
        from MedImageAnalysisLib.progress import Progress

        return self.createCineNodes(self.cineComputation(path, preset)(progress or Progress()))

    def cineComputation(self, path, preset="cardiac-mri"):
        """Return a function of a Progress that reads and analyzes a heart in several phases, in any thread."""
        from MedImageAnalysisLib.image import read_phases
        from MedImageAnalysisLib.pipeline import run_phases
        from MedImageAnalysisLib.preset import load_preset

        chosen = load_preset(preset)

        def computation(progress):
            phases = read_phases(path, progress=progress.part(0.0, 0.15))
            return run_phases(phases, chosen, progress=progress.part(0.15, 1.0))

        return computation

    def createCineNodes(self, phases):
        """Add the results of end-diastole and end-systole to the scene, each with its volume."""
        names = (_("End-diastole"), _("End-systole"))
        return tuple(self.createNodes(phase, name=name) for phase, name in zip(phases, names, strict=True))

    def train(self, data, title, folder="", labelColumn="label", groupColumn="group", preset="auto", progress=None):
        """Train a model, write it, and return it.

        Parameters
        ----------
        data : str or vtkMRMLTableNode
            A folder of labelled images (see Docs/models.md), or a table with a row per case.
        title : str
            What people call the model; its name is made of it.
        folder : str, optional
            Where models are kept; without it, where the user's own models are.
        labelColumn, groupColumn : str
            Columns of the label, and of what the cases of one patient share; groupColumn may be "".
        preset : str
            For images with segmentations: the preset that measures them.
        progress : MedImageAnalysisLib.progress.Progress, optional

        Returns
        -------
        MedImageAnalysisLib.recognition.Model
        """
        from MedImageAnalysisLib.progress import Progress

        computation = self.trainingComputation(data, title, folder, labelColumn, groupColumn, preset)
        return computation(progress or Progress())

    def trainingComputation(self, data, title, folder="", labelColumn="label", groupColumn="group", preset="auto"):
        """Read a table node now, and return a function of a Progress that trains, in any thread."""
        from MedImageAnalysisLib.mrml import tableFromNode
        from MedImageAnalysisLib.panel.training import models_folder, training

        found = tableFromNode(data) if isinstance(data, vtkMRMLTableNode) else Path(data)
        return training(found, title, Path(folder) if folder else models_folder(), labelColumn, groupColumn, preset)

    def createNodes(self, analysis, volumeNode=None, name=""):
        """Add the results to the scene; the volume keeps its place as their reference."""
        from MedImageAnalysisLib.mrml import nodesFromAnalysis

        nodes = nodesFromAnalysis(analysis, volumeNode, name)
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
