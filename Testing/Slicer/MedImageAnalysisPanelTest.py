"""The panel in Slicer's own Qt: Analyze, Cancel, errors. Runs inside 3D Slicer, by ctest."""

# ruff: noqa: PT009  (Slicer runs its tests by unittest)

import time
import unittest

import slicer

from MedImageAnalysisLib.mrml import nodeFromVolume
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.software import installed_version

LONGEST_WAIT_S = 120
LONGEST_CANCEL_S = 1


@unittest.skipUnless(
    installed_version("scikit-image"), "scikit-image is not installed: slicer.util.pip_install('scikit-image')"
)
class MedImageAnalysisPanelTest(unittest.TestCase):
    """What a user does, by clicks."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.volumeNode = nodeFromVolume(chest_radiograph(), "Radiograph")
        # Without a main window there is no module panel to select.
        self.panel = slicer.util.getNewModuleWidget("MedImageAnalysis")
        self.panel.enter()
        self.choosePreset("chest-xray")

    def tearDown(self):
        self.panel.cleanup()
        slicer.mrmlScene.Clear()

    def test_AnalyzeGivesResults(self):
        self.panel.ui.analyzeButton.click()
        self.assertEqual(self.panel.ui.analyzeButton.text, "Cancel")
        self.waitUntilIdle(LONGEST_WAIT_S)
        self.assertEqual(self.panel.ui.statusLabel.text, "")
        self.assertGreater(self.panel.ui.probabilitiesTableWidget.rowCount, 0)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 1)

    def test_CancelStopsAndAddsNothing(self):
        before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode")
        self.panel.ui.analyzeButton.click()
        self.panel.ui.analyzeButton.click()
        self.waitUntilIdle(LONGEST_CANCEL_S)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), before)
        self.assertTrue(self.panel.ui.analyzeButton.enabled)

    def test_AnErrorFreesTheButton(self):
        self.panel.logic.getParameterNode().preset = "no-such-preset"
        self.panel.ui.analyzeButton.click()
        self.waitUntilIdle(LONGEST_WAIT_S)
        self.assertIn("no-such-preset", self.panel.ui.statusLabel.text)
        self.assertEqual(self.panel.ui.analyzeButton.text, "Analyze")
        self.assertTrue(self.panel.ui.analyzeButton.enabled)

    def test_ClosingTheSceneForgetsResults(self):
        self.panel.ui.analyzeButton.click()
        slicer.mrmlScene.Clear()
        self.assertEqual(self.panel.ui.summaryLabel.text, "")
        self.waitUntilIdle(LONGEST_CANCEL_S)

    def choosePreset(self, name):
        """Choose in the selector, as a user does."""
        combo = self.panel.ui.presetComboBox
        combo.setCurrentIndex(combo.findData(name))

    def waitUntilIdle(self, seconds):
        """Let the event loop run until the button offers the next analysis."""
        end = time.monotonic() + seconds
        while self.panel.ui.progressBar.isVisibleTo(self.panel.ui.progressBar.parent()):
            self.assertLess(time.monotonic(), end, "it did not end in time")
            slicer.app.processEvents()
            time.sleep(0.005)
