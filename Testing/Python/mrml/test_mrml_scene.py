"""A scene file holds an analysis exactly, and says so only after it was read back."""

import json
import math
import struct
import zipfile

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.errors import ExportError, UnreadableImageError
from MedImageAnalysisLib.image import content_hash
from MedImageAnalysisLib.mrml import (
    nodeFromVolume,
    nodesFromAnalysis,
    open_scene,
    save_scene,
    segmentationFromNode,
    tableFromNode,
    volumeFromNode,
    write_scene,
)


@pytest.fixture
def reopened(embedded, scene, an_analysis, awkward_text, tmp_path):
    """IDs of the nodes of an analysis, its tables, and the scene as it was saved and opened again."""
    nodes = nodesFromAnalysis(an_analysis, name=awkward_text)
    identifiers = {role: getattr(nodes, role).GetID() for role in ("volume", "segmentation", "features", "record")}
    identifiers["line"] = nodes.lines[0].GetID()
    tables = [(table.GetID(), tableFromNode(table)) for table in nodes if table.IsA("vtkMRMLTableNode")]
    open_scene(save_scene(tmp_path / "scène 1.mrb"))
    return identifiers, tables, embedded.scene


def bits(value):
    """Return the bits of a double."""
    return struct.pack("<d", value)


def test_every_double_of_every_table_comes_back_bit_for_bit(reopened):
    _, tables, scene = reopened
    assert len(tables) == 4
    for identifier, table in tables:
        found = tableFromNode(scene.GetNodeByID(identifier))
        assert [c.name for c in found.columns] == [c.name for c in table.columns]
        for column, expected in zip(found.columns, table.columns, strict=True):
            assert column.kind == expected.kind
            if column.kind == "double":
                assert [bits(v) for v in column.values] == [bits(v) for v in expected.values]
            else:
                assert column.values == expected.values
            assert (column.unit, column.title, column.description) == (
                expected.unit,
                expected.title,
                expected.description,
            )


def test_the_features_column_is_a_column_of_doubles(reopened, an_analysis):
    identifiers, _, scene = reopened
    column = scene.GetNodeByID(identifiers["features"]).GetTable().GetColumnByName("volume")
    assert column.GetDataTypeAsString() == "double"
    assert [column.GetValue(row) for row in range(3)] == an_analysis.features.values[:, 0].tolist()


def test_voxels_and_geometry_come_back(reopened, an_analysis):
    identifiers, _, scene = reopened
    back = volumeFromNode(scene.GetNodeByID(identifiers["volume"]))
    assert back.info == an_analysis.image.info
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back.pixels), sitk.GetArrayFromImage(an_analysis.image.pixels))
    np.testing.assert_allclose(back.pixels.GetSpacing(), an_analysis.image.pixels.GetSpacing(), rtol=1e-12)


def test_segments_come_back_with_awkward_names(reopened, an_analysis):
    identifiers, _, scene = reopened
    back = segmentationFromNode(scene.GetNodeByID(identifiers["segmentation"]), an_analysis.image)
    for found, expected in zip(back.segments, an_analysis.segmentation.segments, strict=True):
        assert (found.name, found.key, found.type, found.modifier) == (
            expected.name,
            expected.key,
            expected.type,
            expected.modifier,
        )
        np.testing.assert_allclose(found.color, expected.color, atol=1e-6)
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(back.mask(found)), sitk.GetArrayFromImage(an_analysis.segmentation.mask(expected))
        )


def test_colors_of_the_terminology_come_back_exactly(reopened, an_analysis):
    identifiers, _, scene = reopened
    back = segmentationFromNode(scene.GetNodeByID(identifiers["segmentation"]), an_analysis.image)
    assert back.segments[0] == an_analysis.segmentation.segments[0]


def test_the_record_tells_how_the_scene_was_made(reopened, an_analysis, awkward_text):
    identifiers, _, scene = reopened
    record = json.loads(scene.GetNodeByID(identifiers["record"]).GetText())
    assert record["provenance"]["input_sha256"] == an_analysis.provenance.input_sha256
    assert record["provenance"]["preset"]["description"] == awkward_text
    assert record["features"]["values"][0][0] == 1 / 3


def test_lines_lie_where_they_lay(reopened, an_analysis):
    identifiers, _, scene = reopened
    x, y = an_analysis.measurements[0].lines[0].end
    point = scene.GetNodeByID(identifiers["line"]).GetNthControlPointPosition(1)
    np.testing.assert_allclose(point, (-x, -y, 0), atol=1e-9)


@pytest.mark.parametrize("mirror", [1, -1])
def test_handedness_survives_the_file(embedded, scene, oblique_volume, tmp_path, mirror):
    flip = np.diag([1, 1, mirror])
    direction = np.reshape(oblique_volume.pixels.GetDirection(), (3, 3)) @ flip
    oblique_volume.pixels.SetDirection(direction.ravel().tolist())
    identifier = nodeFromVolume(oblique_volume).GetID()
    open_scene(save_scene(tmp_path / "volume.mrb"))
    back = volumeFromNode(embedded.scene.GetNodeByID(identifier)).pixels
    np.testing.assert_allclose(back.GetDirection(), oblique_volume.pixels.GetDirection(), atol=1e-14)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(oblique_volume.pixels))


def test_each_node_has_one_place_in_the_reopened_hierarchy(reopened):
    import slicer
    import vtk

    _, _, scene = reopened
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    nodes = [hierarchy.GetItemDataNode(items.GetId(index)) for index in range(items.GetNumberOfIds())]
    identifiers = [node.GetID() for node in nodes if node]
    assert len(identifiers) == len(set(identifiers)) >= 10


def test_saving_changes_nothing_in_the_scene(embedded, scene, an_analysis, tmp_path):
    nodes = nodesFromAnalysis(an_analysis)
    before = content_hash(volumeFromNode(nodes.volume).pixels)
    first = save_scene(tmp_path / "a.mrb")
    second = save_scene(tmp_path / "a.mrb")
    assert first == second
    assert content_hash(volumeFromNode(nodes.volume).pixels) == before
    assert tableFromNode(nodes.features).columns[2].values[0] == 1 / 3


def test_a_file_that_would_differ_is_not_kept(embedded, scene, an_analysis, tmp_path, monkeypatch):
    from MedImageAnalysisLib.mrml import scene_file

    nodesFromAnalysis(an_analysis)
    kept = save_scene(tmp_path / "kept.mrb").read_bytes()
    monkeypatch.setattr(scene_file, "_complete_tables", lambda bundle, scene: None)
    with pytest.raises(ExportError, match="cells"):
        save_scene(tmp_path / "kept.mrb")
    assert (tmp_path / "kept.mrb").read_bytes() == kept
    assert [file.name for file in tmp_path.iterdir()] == ["kept.mrb"]


def test_a_scene_is_written_in_one_call(embedded, an_analysis, tmp_path):
    written = write_scene(an_analysis, tmp_path / "scene.mrb")
    assert zipfile.is_zipfile(written)


def test_inside_the_application_the_users_scene_is_left_alone(scene, an_analysis, tmp_path, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "app", object(), raising=False)
    scene.AddNewNodeByClass("vtkMRMLTextNode", "The user's own")
    before = scene.GetNumberOfNodes()
    written = write_scene(an_analysis, tmp_path / "scene.mrb")
    assert scene.GetNumberOfNodes() == before
    with zipfile.ZipFile(written) as archive:
        description = archive.read("scene/scene.mrml").decode()
    assert 'name="Image segmentation"' in description
    assert "The user" not in description


def test_another_suffix_and_a_missing_folder_are_refused(embedded, scene, tmp_path):
    with pytest.raises(ExportError, match=r"\.mrb"):
        save_scene(tmp_path / "scene.zip")
    with pytest.raises(ExportError, match=r"scene\.mrb"):
        save_scene(tmp_path / "missing" / "scene.mrb")


@pytest.mark.parametrize("name", ["../outside.mrml", "/etc/outside.mrml"])
def test_an_archive_that_reaches_outside_is_refused(embedded, scene, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "evil.mrb", "w") as archive:
        archive.writestr(name, "<MRML></MRML>")
    with pytest.raises(UnreadableImageError, match="lead out"):
        open_scene(tmp_path / "evil.mrb")


def test_what_is_not_a_scene_is_refused(embedded, scene, tmp_path):
    (tmp_path / "text.mrb").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.mrb", "w"):
        pass
    for name in ("text.mrb", "empty.mrb", "missing.mrb"):
        with pytest.raises(UnreadableImageError, match=name):
            open_scene(tmp_path / name)


def test_nan_and_infinity_and_the_smallest_double_survive(embedded, scene, tmp_path):
    from MedImageAnalysisLib.export.tables import Column, Table
    from MedImageAnalysisLib.mrml import nodeFromTable

    values = (math.nan, math.inf, -math.inf, 5e-324, -0.0, 0.1, 1.7976931348623157e308, 2.2250738585072014e-308)
    identifier = nodeFromTable(Table("Extremes", (Column("x", "double", values),))).GetID()
    open_scene(save_scene(tmp_path / "t.mrb"))
    found = tableFromNode(embedded.scene.GetNodeByID(identifier))["x"].values
    assert [bits(v) for v in found] == [bits(v) for v in values]


def test_a_table_without_rows_survives(embedded, scene, tmp_path):
    from MedImageAnalysisLib.export.tables import measurement_table
    from MedImageAnalysisLib.mrml import nodeFromTable

    identifier = nodeFromTable(measurement_table(())).GetID()
    open_scene(save_scene(tmp_path / "t.mrb"))
    assert len(tableFromNode(embedded.scene.GetNodeByID(identifier))) == 0


def test_writing_a_scene_is_silent(embedded, an_analysis, tmp_path, capfd):
    write_scene(an_analysis, tmp_path / "scene.mrb")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def slicers_own_reader(embedded, scene, tmp_path):
    """The scene with what Slicer's own reading of .mrb files needs: a cache for remote files."""
    import slicer

    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    cache = tmp_path / "cache"
    cache.mkdir()
    remote.GetCacheManager().SetRemoteCacheDirectory(str(cache))
    remote.AddDataIOToScene()
    yield scene
    remote.RemoveDataIOFromScene()


def test_slicer_itself_opens_the_file(slicers_own_reader, an_analysis, tmp_path):
    path = write_scene(an_analysis, tmp_path / "scene.mrb")
    assert slicers_own_reader.ReadFromMRB(str(path), True)
    table = slicers_own_reader.GetNodeByID("vtkMRMLTableNode1")
    assert tableFromNode(table)["volume"].values == tuple(an_analysis.features.values[:, 0].tolist())


def test_saved_by_slicer_itself_the_text_is_whole_and_the_record_keeps_every_digit(
    slicers_own_reader, an_analysis, tmp_path
):
    """Slicer's File > Save cuts the doubles of any table to six digits; the record beside it does not suffer."""
    nodes = nodesFromAnalysis(an_analysis)
    features = tableFromNode(nodes.features)
    record = nodes.record.GetID()
    assert slicers_own_reader.WriteToMRB(str(tmp_path / "own.mrb"))
    assert slicers_own_reader.ReadFromMRB(str(tmp_path / "own.mrb"), True)
    found = tableFromNode(slicers_own_reader.GetNodeByID("vtkMRMLTableNode1"))
    for name in ("segment", "code", "notes"):
        assert found[name].values == features[name].values
    np.testing.assert_allclose(found["volume"].values[1], features["volume"].values[1], rtol=1e-5)
    values = json.loads(slicers_own_reader.GetNodeByID(record).GetText())["features"]["values"]
    assert [row[0] for row in values] == an_analysis.features.values[:, 0].tolist()
