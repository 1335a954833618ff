"""A folder of slices becomes a volume in its place, or an error that says what is wrong with it."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantom import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    SAGITTAL,
    enhanced_ct,
    image_dataset,
    object_without_image,
    rewrite,
    slope_scene,
    write,
    write_series,
)
from pydicom import dcmread
from pydicom.uid import UID

from MedImageAnalysisLib.errors import (
    Cancelled,
    GeometryError,
    InvalidSettingError,
    UnreadableImageError,
    UnsupportedImageError,
)
from MedImageAnalysisLib.image import content_hash, read_image
from MedImageAnalysisLib.progress import Progress

TILT = np.radians(18.0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "series"


def patient_points(image: sitk.Image) -> np.ndarray:
    """Places of all voxels in the patient, shape (z, y, x, 3)."""
    size = image.GetSize()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij"), axis=-1)[..., ::-1]
    direction = np.reshape(image.GetDirection(), (3, 3))
    return np.array(image.GetOrigin()) + (index * image.GetSpacing()) @ direction.T


def deviation_from_scene(image: sitk.Image, outside: float | None = None) -> float:
    values = sitk.GetArrayFromImage(image).astype(float)
    deviation = np.abs(values - slope_scene(patient_points(image)))
    return float(deviation[values != outside].max())


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_every_voxel_lies_where_the_scanner_saw_it(folder, orientation):
    write_series(folder, orientation=orientation)
    image = read_image(folder)
    assert image.pixels.GetSize() == (12, 10, 6)
    assert image.pixels.GetSpacing() == pytest.approx((1, 2, 3))
    assert deviation_from_scene(image.pixels) <= 0.5  # rounding of the phantom
    assert image.info.corrections == ()
    assert image.info.spacing_source == "PixelSpacing"


def test_slices_stored_from_top_to_bottom_give_the_same_volume(folder, tmp_path):
    write_series(folder)
    write_series(tmp_path / "reversed", steps=list(range(6))[::-1])
    first, second = read_image(folder).pixels, read_image(tmp_path / "reversed").pixels
    assert first.GetOrigin() == second.GetOrigin()
    assert np.array_equal(sitk.GetArrayViewFromImage(first), sitk.GetArrayViewFromImage(second))


def test_ct_is_in_hounsfield_units(folder):
    write_series(folder, intercept=-1024)
    image = read_image(folder)
    assert image.info.intensity_unit == "HU"
    assert image.pixels.GetPixelID() == sitk.sitkInt16
    stored = sitk.GetArrayFromImage(image.pixels) + 1024.0
    assert np.abs(stored - slope_scene(patient_points(image.pixels))).max() <= 0.5


def test_it_agrees_with_gdcm_on_a_good_series(folder):
    files = write_series(folder, orientation=OBLIQUE, intercept=-1024)
    reference = sitk.ReadImage([str(file) for file in files])
    ours = read_image(folder).pixels
    assert np.array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(reference))
    assert ours.GetOrigin() == pytest.approx(reference.GetOrigin(), abs=1e-6)
    assert ours.GetDirection() == pytest.approx(reference.GetDirection(), abs=1e-6)
    assert ours.GetSpacing() == pytest.approx(reference.GetSpacing(), abs=1e-6)


def test_a_missing_slice_is_refused(folder):
    files = write_series(folder)
    files[2].unlink()
    with pytest.raises(GeometryError, match="Slices are missing: about 1"):
        read_image(folder)


def test_a_missing_slice_is_refused_although_the_others_tell_their_thickness(folder):
    files = write_series(folder, SliceThickness=3.0)
    files[2].unlink()
    with pytest.raises(GeometryError, match="Slices are missing"):
        read_image(folder)


def test_an_empty_slice_file_is_refused(folder):
    files = write_series(folder)
    files[0].write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"slice-006.dcm' is empty"):
        read_image(folder)


def test_an_empty_file_among_slices_without_suffix_is_refused(folder):
    for index, file in enumerate(write_series(folder)):
        file.rename(folder / f"IM{index}")
    (folder / "IM5").write_bytes(b"")
    with pytest.raises(UnreadableImageError, match="IM5' is empty"):
        read_image(folder)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_slice_file_is_refused(folder, share):
    files = write_series(folder, size=(60, 50))
    content = files[5].read_bytes()
    files[5].write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableImageError, match=r"slice-001.dcm"):
        read_image(folder)


def test_several_images_at_one_position_are_refused(folder):
    write_series(folder, steps=[0, 0, 1, 1, 2, 2])
    with pytest.raises(GeometryError, match="only 3 different positions"):
        read_image(folder)


def test_a_copy_of_a_file_is_left_out_and_recorded(folder):
    files = write_series(folder)
    shutil.copy(files[3], folder / "copy.dcm")
    image = read_image(folder)
    assert image.pixels.GetSize()[2] == 6
    assert image.info.corrections == ("left out 1 copy of images that are already there",)


def test_gantry_tilt_is_straightened_and_recorded(folder):
    orientation = (1, 0, 0, 0, np.cos(TILT), -np.sin(TILT))
    write_series(folder, orientation=orientation, step=(0, 0, 3))
    image = read_image(folder)
    (correction,) = image.info.corrections
    assert "gantry tilt of 18.0 degrees" in correction
    direction = np.reshape(image.pixels.GetDirection(), (3, 3))
    assert direction.T @ direction == pytest.approx(np.eye(3), abs=1e-6)
    assert image.pixels.GetSpacing()[2] == pytest.approx(3 * np.cos(TILT))
    assert deviation_from_scene(image.pixels, outside=-1000) <= 1.5


def test_gantry_tilt_loses_no_part_of_a_slice(folder):
    orientation = (1, 0, 0, 0, np.cos(TILT), -np.sin(TILT))
    write_series(folder, orientation=orientation, step=(0, 0, 3), spacing=(1, 1))
    values = sitk.GetArrayFromImage(read_image(folder).pixels)
    assert ((values != -1000).sum(axis=(1, 2)) >= 12 * 9).all()


def test_uneven_slices_that_touch_are_interpolated_and_recorded(folder):
    def change(index, dataset):
        dataset.SliceThickness = 2.0 if index < 4 else 5.0

    write_series(folder, count=7, distance=1.0, steps=[0, 2, 4, 6, 9, 14, 19], change=change)
    image = read_image(folder)
    assert "to an even distance of 2.5 mm" in image.info.corrections[0]
    assert deviation_from_scene(image.pixels) <= 1.0


def test_a_hole_among_slices_of_varying_thickness_is_refused(folder):
    def change(index, dataset):
        dataset.SliceThickness = 2.0 if index < 3 else 5.0

    write_series(folder, distance=1.0, steps=[0, 2, 4, 12, 17, 22], change=change)
    with pytest.raises(GeometryError, match="Slices are missing"):
        read_image(folder)


def test_uneven_slices_with_holes_are_refused(folder):
    write_series(folder, steps=[0, 1, 2, 3.3, 4.3, 5.3])
    with pytest.raises(GeometryError, match="unevenly spaced"):
        read_image(folder)


def test_slices_that_wander_sideways_are_refused(folder):
    def change(index, dataset):
        if index == 2:
            dataset.ImagePositionPatient[0] += 4

    write_series(folder, change=change)
    with pytest.raises(GeometryError, match="shifted sideways irregularly"):
        read_image(folder)


def test_a_localizer_among_the_slices_is_left_out_and_recorded(folder):
    write_series(folder)
    scout = image_dataset(np.zeros((40, 30), np.int16), orientation=CORONAL, ImageType=["ORIGINAL", "X", "LOCALIZER"])
    write(folder / "scout.dcm", scout)
    image = read_image(folder)
    assert image.pixels.GetSize() == (12, 10, 6)
    assert image.info.corrections == ("left out 1 localizer found among the slices",)


def test_a_localizer_series_beside_the_volume_is_left_out_with_a_warning(folder):
    write_series(folder)
    kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write(folder / "scout.dcm", image_dataset(np.zeros((40, 30), np.int16), series="1.2.3.77", ImageType=kind))
    image = read_image(folder)
    assert image.pixels.GetSize() == (12, 10, 6)
    assert image.info.warnings == ("1 localizer series in the folder were left out.",)


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_slices_without_positions_are_refused(folder, keyword):
    write_series(folder, change=lambda index, dataset: delattr(dataset, keyword))
    with pytest.raises(GeometryError, match="position and orientation"):
        read_image(folder)


def test_a_slope_of_each_slice_is_applied_exactly(folder):
    def change(index, dataset):
        dataset.Modality = "PT"
        dataset.RescaleSlope = 0.1 + 0.017 * index

    files = write_series(folder, change=change)
    image = read_image(folder)
    assert image.pixels.GetPixelID() == sitk.sitkFloat32
    assert "applied the rescale of each slice, since they differ" in image.info.corrections
    for index, file in enumerate(files):
        dataset = dcmread(file)
        expected = dataset.pixel_array * float(dataset.RescaleSlope)
        assert sitk.GetArrayViewFromImage(image.pixels)[index] == pytest.approx(expected, rel=1e-6)


def test_several_series_in_a_folder_are_refused_and_named(folder):
    write_series(folder / "a")
    write_series(folder / "b", series="1.2.3.5", size=(20, 10))
    with pytest.raises(UnsupportedImageError, match=r"2 series: CT of 6 images 12 x 10 .*CT of 6 images 20 x 10"):
        read_image(folder)


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"PixelSpacing": [1.0, 1.5]}, "pixel spacing"),
        ({"FrameOfReferenceUID": "1.2.3.10"}, "frame of reference"),
        ({"ImageOrientationPatient": list(OBLIQUE)}, "another orientation"),
        ({"BitsStored": 12, "HighBit": 11}, "kind of pixels"),
    ],
)
def test_slices_of_different_kinds_are_refused(folder, attributes, what):
    files = write_series(folder)
    rewrite(files[3], **attributes)
    with pytest.raises(GeometryError, match=what):
        read_image(folder)


def test_slices_that_each_name_a_frame_of_reference_of_their_own_are_one_volume_and_this_is_said(folder):
    whole = read_image(write_series(folder)[0].parent)
    for number, file in enumerate(sorted(folder.iterdir())):
        rewrite(file, FrameOfReferenceUID=f"1.2.3.{100 + number}")
    image = read_image(folder)
    assert sitk.Hash(image.pixels) == sitk.Hash(whole.pixels)
    assert image.pixels.GetOrigin() == whole.pixels.GetOrigin()
    assert any("a frame of reference of its own" in note for note in image.info.corrections)


def test_slices_of_different_sizes_are_refused(folder):
    write_series(folder)
    odd = image_dataset(np.zeros((9, 9), np.int16), position=(-20, 15, 0), spacing=(1, 2))
    write(folder / "odd.dcm", odd)
    with pytest.raises(GeometryError, match=r"size \(columns x rows\)"):
        read_image(folder)


def test_a_folder_without_anything_readable_is_refused(folder):
    folder.mkdir()
    with pytest.raises(UnreadableImageError, match="holds no DICOM images"):
        read_image(folder)
    (folder / "notes.txt").write_text("no image")
    (folder / "README").write_text("no image either")
    with pytest.raises(UnreadableImageError, match=r"holds no DICOM images \(2 other files\)"):
        read_image(folder)


def test_a_text_file_named_dcm_among_the_slices_is_refused(folder):
    write_series(folder)
    (folder / "slice-099.dcm").write_text("this is no image")
    with pytest.raises(UnreadableImageError, match=r"slice-099.dcm' is not an image"):
        read_image(folder)


def test_other_files_and_objects_beside_the_slices_are_ignored_with_a_warning(folder):
    write_series(folder)
    (folder / "report.txt").write_text("text")
    (folder / ".DS_Store").write_bytes(b"x")
    write(folder / "report.dcm", object_without_image(UID("1.2.840.10008.5.1.4.1.1.88.33")))
    warnings = read_image(folder).info.warnings
    assert len(warnings) == 2
    assert "structured report" in warnings[0]
    assert "1 file(s)" in warnings[1]


def test_files_without_preamble_and_suffix_are_read(folder):
    for index, file in enumerate(write_series(folder)):
        content = file.read_bytes()
        file.unlink()
        (folder / f"IM{index}").write_bytes(content[132:])
    assert read_image(folder).pixels.GetSize() == (12, 10, 6)


def test_names_with_blanks_and_letters_of_all_scripts_are_read(tmp_path):
    folder = tmp_path / "Größe 5 – 画像" / "séries"
    write_series(folder)
    (tmp_path / "link").symlink_to(folder)
    assert read_image(folder.parent).pixels.GetSize() == (12, 10, 6)
    assert read_image(tmp_path / "link").pixels.GetSize() == (12, 10, 6)


def test_one_slice_alone_is_2d_and_keeps_its_place(folder):
    files = write_series(folder, orientation=OBLIQUE, SliceThickness=2.5)
    image = read_image(files[4])
    assert image.pixels.GetSize() == (12, 10)
    assert image.pixels.GetSpacing() == pytest.approx((1, 2))
    placement = image.info.placement
    assert placement.spacing == pytest.approx((1, 2, 2.5))
    volume = sitk.JoinSeries(image.pixels)
    volume.SetOrigin(placement.origin)
    volume.SetDirection(placement.direction)
    assert deviation_from_scene(volume) <= 0.5


def test_enhanced_multi_frame_becomes_a_volume_in_place(tmp_path):
    image = read_image(write(tmp_path / "enhanced.dcm", enhanced_ct()))
    assert image.pixels.GetSize() == (12, 10, 5)
    assert image.pixels.GetSpacing() == pytest.approx((1, 2, 2.5))
    assert image.info.intensity_unit == "HU"
    values = sitk.GetArrayFromImage(image.pixels) + 10
    assert np.abs(values - slope_scene(patient_points(image.pixels))).max() <= 0.5


def test_enhanced_multi_frame_with_several_time_points_is_refused(tmp_path):
    dataset = enhanced_ct()
    groups = dataset.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence = groups[0].PlanePositionSequence
    with pytest.raises(GeometryError, match="only 4 different positions"):
        read_image(write(tmp_path / "enhanced.dcm", dataset))


def test_enhanced_multi_frame_with_a_group_missing_is_damaged(tmp_path):
    dataset = enhanced_ct()
    del dataset.PerFrameFunctionalGroupsSequence[0]
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_image(write(tmp_path / "enhanced.dcm", dataset))


def test_a_cine_is_refused_by_name(tmp_path):
    dataset = image_dataset(np.zeros((10, 12), np.uint8), Modality="US", position=None, orientation=None)
    dataset.NumberOfFrames = 3
    dataset.PixelData = bytes(360)
    with pytest.raises(UnsupportedImageError, match="3 frames of US without positions"):
        read_image(write(tmp_path / "cine.dcm", dataset))


def test_cancel_stops_the_reading(folder):
    write_series(folder)
    with pytest.raises(Cancelled):
        read_image(folder, progress=Progress(cancelled=lambda: True))


def test_progress_grows_from_0_to_1(folder):
    write_series(folder)
    fractions = []
    read_image(folder, progress=Progress(report=lambda message, fraction: fractions.append(fraction)))
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len(fractions) >= 12


def test_real_series_are_read(real_data):
    torso = read_image(real_data / "ct_torso" / "dicom")
    assert torso.pixels.GetSize() == (512, 512, 20)
    assert torso.pixels.GetSpacing() == pytest.approx((0.9765625, 0.9765625, 2.0))
    abdomen = read_image(real_data / "ct_abdomen_seg")
    assert abdomen.info.corrections == ("set padding to air (-1000 HU)",)
    assert "segmentation" in abdomen.info.warnings[0]


def test_a_real_tilted_head_is_straightened(real_data):
    head = read_image(real_data / "ct_head" / "GE")
    assert any("gantry tilt of 18.5 degrees" in correction for correction in head.info.corrections)
    assert any("to an even distance of 4 mm" in correction for correction in head.info.corrections)


def test_a_real_cine_of_the_heart_is_refused(real_data):
    with pytest.raises(GeometryError, match="only 3 different positions"):
        read_image(real_data / "mr_heart" / "P09dicom")


class TestFilesOfOneSeries:
    def test_a_series_scattered_over_folders_reads_as_if_it_lay_in_one(self, tmp_path):
        files = write_series(tmp_path / "one")
        scattered = []
        for index, file in enumerate(files):
            folder = tmp_path / f"part-{index % 2}"
            folder.mkdir(exist_ok=True)
            scattered.append(file.rename(folder / file.name))
        whole = read_image(write_series(tmp_path / "again")[0].parent)
        assert content_hash(read_image(scattered).pixels) == content_hash(whole.pixels)

    def test_files_of_several_series_are_refused(self, tmp_path):
        files = [*write_series(tmp_path / "a", series="1.2.5"), *write_series(tmp_path / "b", series="1.2.6")]
        with pytest.raises(UnsupportedImageError, match="of 2 series"):
            read_image(files)

    def test_a_damaged_file_refuses_the_series(self, tmp_path):
        files = write_series(tmp_path)
        files[-1].write_bytes(files[-1].read_bytes()[:600])
        with pytest.raises(UnreadableImageError, match=files[-1].name):
            read_image(files)

    def test_no_files_are_refused(self):
        with pytest.raises(InvalidSettingError, match="no files"):
            read_image([])
