"""An existing segmentation takes the place of stage 2: read, recognized, and brought onto the image's grid."""

import numpy as np
import pytest
import SimpleITK as sitk

from MedImageAnalysisLib.analysis import Code, ImageInfo, MedicalImage, Segment, Segmentation, SlicePlacement
from MedImageAnalysisLib.errors import (
    GeometryError,
    InvalidSettingError,
    UnreadableImageError,
    UnsupportedImageError,
)
from MedImageAnalysisLib.export.segmentation import write_segmentation
from MedImageAnalysisLib.segmentation_file import read_segmentation
from MedImageAnalysisLib.terminology import generic_segment, segment, structures
from MedImageAnalysisLib.terminology.matching import matched, totalsegmentator_names
from MedImageAnalysisLib.terminology.wholes import with_wholes

OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.4, 0.5).GetMatrix()
LIVER = Code("SCT", "10200004", "Liver")
TISSUE = Code("SCT", "85756007", "Tissue")


@pytest.fixture
def volume() -> MedicalImage:
    pixels = sitk.Image((20, 18, 12), sitk.sitkInt16)
    pixels.SetSpacing((1.0, 1.2, 2.5))
    pixels.SetOrigin((-30, 10, 55))
    pixels.SetDirection(OBLIQUE)
    return MedicalImage(pixels, ImageInfo(modality="CT", spacing_source="PixelSpacing"))


@pytest.fixture
def radiograph() -> MedicalImage:
    return MedicalImage(sitk.Image((20, 18), sitk.sitkUInt16), ImageInfo(modality="DX"))


@pytest.fixture
def labels(volume) -> sitk.Image:
    values = np.zeros((12, 18, 20), np.uint8)
    values[3:7, 4:9, 5:11] = 1
    values[5:9, 10:15, 2:8] = 2
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(volume.pixels)
    return image


def array(segmentation: Segmentation) -> np.ndarray:
    return sitk.GetArrayFromImage(segmentation.labelmap)


def write(image: sitk.Image, file):
    sitk.WriteImage(image, str(file))
    return file


def test_a_segmentation_file_comes_back_as_it_was_written(tmp_path, volume, labels):
    written = Segmentation(
        (labels, labels == 2),
        (
            segment("left-lung", 1),
            Segment("Größter Herd", 2, (0.1, 0.25, 1.0), TISSUE, LIVER),
            generic_segment("rest", 1, layer=1),
        ),
    )
    file = write_segmentation(tmp_path / "all.seg.nrrd", written)
    read = read_segmentation(file, volume)
    assert read.segments == written.segments
    for ours, theirs in zip(read.layers, written.layers, strict=True):
        assert np.array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
        assert ours.GetDirection() == pytest.approx(volume.pixels.GetDirection())


def test_segments_of_old_slicer_files_have_a_layer_each(tmp_path, volume, labels):
    both = sitk.Compose([labels == 1, labels == 2])
    both.SetMetaData("Segment0_Name", "Heart")
    both.SetMetaData("Segment1_Name", "other")
    read = read_segmentation(write(both, tmp_path / "old.seg.nrrd"), volume)
    assert [(s.key, s.label, s.layer) for s in read.segments] == [("heart", 1, 0), ("", 1, 1)]
    assert np.array_equal(sitk.GetArrayFromImage(read.mask(read.segments[1])), sitk.GetArrayFromImage(labels) == 2)


@pytest.mark.parametrize(
    ("field", "value"), [("LabelValue", "many"), ("Layer", "7"), ("Color", "red"), ("Layer", "-x")]
)
def test_a_damaged_segment_header_is_refused(tmp_path, volume, labels, field, value):
    labels.SetMetaData("Segment0_Name", "Heart")
    labels.SetMetaData("Segment0_Layer", "0")
    labels.SetMetaData(f"Segment0_{field}", value)
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_segmentation(write(labels, tmp_path / "bad.seg.nrrd"), volume)


@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32, sitk.sitkFloat64])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_labelmap_gives_a_segment_per_label(tmp_path, volume, labels, kind, suffix):
    read = read_segmentation(write(sitk.Cast(labels, kind), tmp_path / f"labels{suffix}"), volume)
    assert np.array_equal(array(read), sitk.GetArrayViewFromImage(labels))
    assert read.labelmap.GetPixelID() == sitk.sitkUInt8
    assert [s.name for s in read.segments] == ["Label 1", "Label 2"]


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_a_table_names_the_labels(tmp_path, volume, labels, suffix, separator):
    rows = [("label", "name"), ("1", "Right lung"), ("2", "Tumor"), ("3", "not there")]
    table = tmp_path / f"names{suffix}"
    table.write_text("".join(separator.join(row) + "\n" for row in rows))
    read = read_segmentation(write(labels, tmp_path / "labels.nrrd"), volume, names=table)
    assert [(s.name, s.key) for s in read.segments] == [("Right lung", "right-lung"), ("Tumor", "")]
    assert read.segments[0].type == structures()["right-lung"].type


@pytest.mark.parametrize("content", ["number,title\n1,Heart\n", "label,name\none,Heart\n"])
def test_a_table_without_labels_and_names_is_refused(tmp_path, volume, labels, content):
    (tmp_path / "names.csv").write_text(content)
    with pytest.raises(InvalidSettingError, match=r"names.csv"):
        read_segmentation(write(labels, tmp_path / "labels.nrrd"), volume, names=tmp_path / "names.csv")


def test_totalsegmentator_is_understood(tmp_path, volume, labels):
    names = totalsegmentator_names()
    assert (len(names), names[1], names[51], names[117]) == (117, "spleen", "heart", "costal_cartilages")
    numbered = sitk.Cast(labels, sitk.sitkUInt8)
    numbered = sitk.ChangeLabel(numbered, {1: 51, 2: 73})
    read = read_segmentation(write(numbered, tmp_path / "ts.nii.gz"), volume, names="totalsegmentator")
    assert [(s.name, s.key) for s in read.segments] == [("heart", "heart"), ("clavicula_left", "left-clavicle")]


def test_both_numberings_of_totalsegmentator_are_whole():
    first, second = totalsegmentator_names(1), totalsegmentator_names(2)
    assert sorted(first) == list(range(1, 105))
    assert sorted(second) == list(range(1, 118))
    for names in (first, second):
        assert len(set(names.values())) == len(names)
    # What both tell apart in the same way, they call by the same name.
    assert {name for name in first.values() if name not in second.values()} == {
        "heart_myocardium", "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right",
        "heart_ventricle_right", "pulmonary_artery", "face",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "wholes"), [("totalsegmentator", {"left-lung", "right-lung"}),
                            ("totalsegmentator-v1", {"left-lung", "right-lung", "heart"})]
)  # fmt: skip
def test_lungs_and_heart_are_put_together_from_their_parts(tmp_path, volume, version, wholes):
    shape = tuple(reversed(volume.pixels.GetSize()))
    numbers = totalsegmentator_names(1 if version.endswith("v1") else 2)
    pixels = np.zeros(shape, np.uint8)
    flat = pixels.reshape(-1)
    flat[: len(numbers)] = list(numbers)
    image = sitk.GetImageFromArray(pixels)
    image.CopyInformation(volume.pixels)
    read = read_segmentation(write(image, tmp_path / "ts.nii.gz"), volume, names=version)
    whole = with_wholes(read)
    assert {s.key for s in whole.segments} - {s.key for s in read.segments} == wholes
    right = sitk.GetArrayFromImage(whole.mask(whole.find("right-lung"))) > 0
    assert {numbers[label] for label in pixels[right]} == {
        "lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"
    }  # fmt: skip
    assert with_wholes(whole) is whole


@pytest.mark.parametrize(
    ("name", "kind", "side"),
    [
        ("superior lobe of left lung", None, None),
        ("Upper lobe of the left lung", None, None),
        ("Segment_1", "45653009", "7771000"),
    ],
)
def test_a_lobe_is_recognized_by_any_of_its_names_and_by_its_codes(volume, name, kind, side):
    layer = sitk.Cast(volume.pixels * 0 + 1, sitk.sitkUInt8)
    lobe = Segment(name, 1, (0, 0, 0), type=kind and Code("SCT", kind, ""), modifier=side and Code("SCT", side, ""))
    assert [s.key for s in with_wholes(Segmentation((layer,), (lobe,))).segments] == ["", "left-lung"]


def test_a_heart_needs_all_its_parts(volume):
    layer = sitk.Cast(volume.pixels * 0 + 1, sitk.sitkUInt8)
    part = Segmentation((layer,), (Segment("heart_myocardium", 1, (0, 0, 0)),))
    assert with_wholes(part) is part


def test_another_grid_in_the_same_place_is_resampled(tmp_path, volume, labels):
    fine = sitk.Expand(labels, (2, 2, 2), sitk.sitkNearestNeighbor)
    padded = sitk.ConstantPad(labels, (3, 2, 1), (4, 0, 2))
    flipped = sitk.Flip(labels, (True, False, True))
    for index, other in enumerate((fine, padded, flipped)):
        read = read_segmentation(write(other, tmp_path / f"other{index}.nrrd"), volume)
        assert np.array_equal(array(read), sitk.GetArrayViewFromImage(labels))
        assert read.labelmap.GetOrigin() == pytest.approx(volume.pixels.GetOrigin())


def test_a_segmentation_of_another_place_is_refused_with_both_in_words(tmp_path, volume, labels):
    labels.SetOrigin((500, 500, 500))
    with pytest.raises(GeometryError, match=r"origin \(500.00, 500.00, 500.00\).*origin \(-30.00, 10.00, 55.00\)"):
        read_segmentation(write(labels, tmp_path / "away.nrrd"), volume)


def test_an_image_is_not_taken_for_labels(tmp_path, volume, labels):
    noise = sitk.Cast(labels, sitk.sitkFloat32) * 0.3
    with pytest.raises(UnsupportedImageError, match="with fractions: it is an image"):
        read_segmentation(write(noise, tmp_path / "ct.nrrd"), volume)
    ct = sitk.Cast(labels, sitk.sitkInt16) - 1000
    with pytest.raises(UnsupportedImageError, match="from -1000 to -998"):
        read_segmentation(write(ct, tmp_path / "ct.nrrd"), volume)
    many = sitk.GetImageFromArray(np.arange(12 * 18 * 20, dtype=np.uint16).reshape(12, 18, 20) * 2)
    many = sitk.Tile([many, many + 1], (1, 1, 2))
    with pytest.raises(UnsupportedImageError, match="different values"):
        read_segmentation(write(many, tmp_path / "many.nrrd"), volume)


def test_color_is_not_a_labelmap(tmp_path, radiograph):
    with pytest.raises(UnsupportedImageError, match="3 components"):
        read_segmentation(write(sitk.Image((20, 18), sitk.sitkVectorUInt8, 3), tmp_path / "rgb.png"), radiograph)


def test_a_mask_picture_fits_a_radiograph_of_its_size_only(tmp_path, radiograph):
    mask = sitk.Image((20, 18), sitk.sitkUInt8)
    mask[4:9, 3:7] = 1
    read = read_segmentation(write(mask, tmp_path / "mask.png"), radiograph)
    assert np.array_equal(array(read), sitk.GetArrayViewFromImage(mask))
    spaced = MedicalImage(sitk.Image(radiograph.pixels), ImageInfo(spacing_source="PixelSpacing"))
    spaced.pixels.SetSpacing((0.14, 0.14))
    assert read_segmentation(tmp_path / "mask.png", spaced).labelmap.GetSpacing() == (0.14, 0.14)
    with pytest.raises(GeometryError, match="its size is not that of the image"):
        read_segmentation(write(mask[1:, :], tmp_path / "small.png"), radiograph)


def test_a_segmentation_file_of_a_radiograph_comes_back_in_2d(tmp_path, radiograph):
    mask = sitk.Image((20, 18), sitk.sitkUInt8)
    mask[4:9, 3:7] = 1
    written = Segmentation((mask,), (segment("heart", 1),))
    for spacing in (1.0, 0.15):
        pixels = sitk.Image(radiograph.pixels)
        pixels.SetSpacing((spacing, spacing))
        mask.SetSpacing((spacing, spacing))
        image = MedicalImage(pixels, ImageInfo(spacing_source="" if spacing == 1 else "PixelSpacing"))
        read = read_segmentation(write_segmentation(tmp_path / "2d.seg.nrrd", written, image), image)
        assert read.segments == written.segments
        assert read.labelmap.GetDimension() == 2
        assert np.array_equal(array(read), sitk.GetArrayViewFromImage(mask))


def test_a_volume_of_labels_is_cut_where_a_single_slice_lies(tmp_path, volume, labels):
    place = SlicePlacement(
        volume.pixels.TransformIndexToPhysicalPoint((0, 0, 6)), volume.pixels.GetSpacing(), volume.pixels.GetDirection()
    )
    pixels = sitk.Image((20, 18), sitk.sitkInt16)
    pixels.SetSpacing((1.0, 1.2))
    image = MedicalImage(pixels, ImageInfo(modality="MR", spacing_source="PixelSpacing", placement=place))
    read = read_segmentation(write(labels, tmp_path / "labels.nrrd"), image)
    assert np.array_equal(array(read), sitk.GetArrayViewFromImage(labels)[6])


def test_a_bare_image_will_do(tmp_path, volume, labels):
    flipped = sitk.Flip(labels, (True, False, False))
    read = read_segmentation(write(flipped, tmp_path / "labels.nrrd"), volume.pixels)
    assert np.array_equal(array(read), sitk.GetArrayViewFromImage(labels))


def test_a_slice_of_labels_does_not_fit_a_volume(tmp_path, volume):
    with pytest.raises(GeometryError, match="It is 2D, and the image is a volume"):
        read_segmentation(write(sitk.Image((20, 18), sitk.sitkUInt8) + 1, tmp_path / "flat.nrrd"), volume)


def test_a_missing_file_is_refused(tmp_path, volume):
    with pytest.raises(UnreadableImageError, match="does not exist"):
        read_segmentation(tmp_path / "gone.seg.nrrd", volume)


def of(name: str, kind: Code | None = None, modifier: Code | None = None, key: str = "") -> Segment:
    return Segment(name, 1, (1, 0, 0), TISSUE, kind, modifier, key)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (of("whatever", Code("SCT", "80891009", "Heart")), "heart"),
        (of("x", Code("SCT", "39607008", "Lung"), Code("SCT", "24028007", "Right")), "right-lung"),
        (of("lung_right"), "right-lung"),
        (of("Lung, Right"), "right-lung"),
        (of("rightLung"), "right-lung"),
        (of("R lung"), "right-lung"),
        (of("clavicula_left"), "left-clavicle"),
        (of("HEART", TISSUE), "heart"),
        (of("anything", key="heart"), "heart"),
        (of("Lung"), ""),
        (of("lung_upper_lobe_left"), ""),
        (of("Liver", LIVER), ""),
    ],
)
def test_segments_are_recognized_by_key_then_code_then_name(given, key):
    (found,) = matched([given])
    assert found.key == key
    assert (found.name, found.label, found.color) == (given.name, given.label, given.color)


def test_a_code_says_more_than_a_name():
    (found,) = matched([of("Heart", Code("SCT", "44567001", "Trachea"))])
    assert found.key == "trachea"


def test_a_key_is_given_once():
    assert [s.key for s in matched([of("heart"), of("Heart")])] == ["heart", ""]
