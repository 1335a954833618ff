"""From a volume to a saved scene and back, by the logic alone. Runs inside 3D Slicer, by ctest."""

# ruff: noqa: PT009  (Slicer runs its tests by unittest)

import pathlib
import tempfile
import unittest

import slicer
import vtk

from MedImageAnalysis import MedImageAnalysisLogic
from MedImageAnalysisLib.mrml import nodeFromVolume, open_scene, save_scene, tableFromNode
from MedImageAnalysisLib.phantom import chest_radiograph
from MedImageAnalysisLib.software import installed_version


@unittest.skipUnless(
    installed_version("scikit-image"), "scikit-image is not installed: slicer.util.pip_install('scikit-image')"
)
class MedImageAnalysisSceneTest(unittest.TestCase):
    """All stages on a drawn radiograph."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        self.volumeNode = nodeFromVolume(chest_radiograph(), "Radiograph")
        self.nodes = MedImageAnalysisLogic().analyze(self.volumeNode, preset="chest-xray")

    def tearDown(self):
        slicer.mrmlScene.Clear()

    def test_SegmentsAreNamedAndCoded(self):
        segmentation = self.nodes.segmentation.GetSegmentation()
        names = {segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())}
        self.assertLessEqual({"Left lung", "Right lung"}, names)
        for index in range(segmentation.GetNumberOfSegments()):
            tag = vtk.reference("")
            name = slicer.vtkSegment.GetTerminologyEntryTagName()
            self.assertTrue(segmentation.GetNthSegment(index).GetTag(name, tag))
            self.assertIn("SCT^", str(tag))

    def test_ReferenceGeometryIsTheVolume(self):
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        self.assertIs(self.nodes.segmentation.GetNodeReference(role), self.volumeNode)

    def test_NumbersSurviveSavingAndLoading(self):
        before = tableFromNode(self.nodes.features)
        with tempfile.TemporaryDirectory() as folder:
            path = save_scene(pathlib.Path(folder) / "analysis.mrb")
            open_scene(path)
        tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
        after = [tableFromNode(node) for node in tables if node.GetName() == before.title]
        self.assertEqual(len(after), 1)
        self.assertEqual(repr(after[0].columns), repr(before.columns))
