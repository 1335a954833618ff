"""A cine in several slices becomes one volume per phase, in the order of time; everything else is refused."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_phantom import AXIAL, CORONAL, image_dataset, rewrite, write, write_series

from MedImageAnalysisLib.errors import GeometryError, UnreadableImageError, UnsupportedImageError
from MedImageAnalysisLib.image import read_image, read_phases

SLICES, PHASES = 4, 3


def value(place: int, phase: int) -> int:
    return 10 * place + phase


def write_cine(folder, *, series=lambda place: "1.2.3.4", left_out=(), time="TriggerTime", orientation=AXIAL):
    """One file for each place and phase; every pixel tells which. Names and instance numbers tell no order."""
    normal = np.cross(orientation[:3], orientation[3:])
    for place in range(SLICES):
        for phase in range(PHASES):
            if (place, phase) in left_out:
                continue
            pixels = np.full((6, 8), value(place, phase), np.int16)
            position = np.array([5.0, 6.0, 7.0]) + 8.0 * place * normal
            dataset = image_dataset(pixels, position=position, orientation=orientation, series=series(place))
            dataset.InstanceNumber = place * PHASES + phase + 1
            if time == "TriggerTime":
                dataset.InstanceNumber = 100 - dataset.InstanceNumber
                dataset.TriggerTime = 40.0 * phase
            elif not time:
                dataset.InstanceNumber = 1
            write(folder / f"{(7 * (place * PHASES + phase)) % 12:02d}.dcm", dataset)
    return folder


@pytest.mark.parametrize("time", ["TriggerTime", "InstanceNumber"])
@pytest.mark.parametrize("series", [lambda place: "1.2.3.4", lambda place: f"1.2.3.{place}"], ids=["one", "each"])
def test_phases_are_sorted_by_time_at_each_place(tmp_path, time, series):
    phases = read_phases(write_cine(tmp_path, time=time, series=series))
    assert len(phases) == PHASES
    for number, phase in enumerate(phases):
        expected = [value(place, number) for place in range(SLICES)]
        assert sitk.GetArrayFromImage(phase.pixels)[:, 0, 0].tolist() == expected
        assert phase.pixels.GetSpacing()[2] == pytest.approx(8.0)


def test_other_images_beside_the_cine_are_left_out_and_named(tmp_path):
    write_series(write_cine(tmp_path) / "long-axis", orientation=CORONAL, series="1.2.9")
    phases = read_phases(tmp_path)
    assert len(phases) == PHASES
    assert "left out" in phases[0].info.warnings[0]


def test_images_that_each_name_a_frame_of_reference_of_their_own_are_one_cine_and_this_is_said(tmp_path):
    for number, file in enumerate(sorted(write_cine(tmp_path).iterdir())):
        rewrite(file, FrameOfReferenceUID=f"1.2.3.{100 + number}")
    phases = read_phases(tmp_path)
    assert len(phases) == PHASES
    assert sitk.GetArrayFromImage(phases[1].pixels)[:, 0, 0].tolist() == [value(place, 1) for place in range(SLICES)]
    assert any("a frame of reference of its own" in note for note in phases[0].info.corrections)


def test_a_lost_image_is_told(tmp_path):
    with pytest.raises(GeometryError, match="2 phases at 1 place"):
        read_phases(write_cine(tmp_path, left_out=[(2, 1)]))


def test_images_without_order_in_time_are_refused(tmp_path):
    with pytest.raises(GeometryError, match="order in time"):
        read_phases(write_cine(tmp_path, time=""))


def test_two_cines_are_refused(tmp_path):
    write_cine(tmp_path / "a")
    write_cine(tmp_path / "b", series=lambda place: "1.2.8", orientation=CORONAL)
    with pytest.raises(UnsupportedImageError, match="2 stacks"):
        read_phases(tmp_path)


def test_a_volume_of_one_phase_is_no_heartbeat(tmp_path):
    write_series(tmp_path)
    with pytest.raises(UnsupportedImageError, match="no stack"):
        read_phases(tmp_path)


def test_the_reader_of_one_image_points_to_the_reader_of_phases(tmp_path):
    with pytest.raises(GeometryError, match="medimage cine"):
        read_image(write_cine(tmp_path))


@pytest.mark.parametrize("name", ["beat.nii.gz", "beat.nrrd"])
def test_volumes_of_a_4d_file_are_its_phases(tmp_path, name):
    volumes = [sitk.Image([5, 6, 7], sitk.sitkInt16) + number for number in range(PHASES)]
    for volume in volumes:
        volume.SetSpacing((1.5, 1.5, 8.0))
    sitk.WriteImage(sitk.JoinSeries(volumes), tmp_path / name)
    phases = read_phases(tmp_path / name)
    assert [int(sitk.GetArrayFromImage(phase.pixels)[0, 0, 0]) for phase in phases] == [0, 1, 2]
    assert phases[1].pixels.GetSpacing() == pytest.approx((1.5, 1.5, 8.0))
    with pytest.raises(UnsupportedImageError, match="medimage cine"):
        read_image(tmp_path / name)


def test_what_holds_no_phases_is_refused(tmp_path):
    sitk.WriteImage(sitk.Image([5, 6, 7], sitk.sitkInt16), tmp_path / "one.nii")
    with pytest.raises(UnsupportedImageError, match="one time point"):
        read_phases(tmp_path / "one.nii")
    with pytest.raises(UnreadableImageError, match="does not exist"):
        read_phases(tmp_path / "nothing")


def test_a_real_cine_whose_slices_were_not_all_copied_is_refused(real_data):
    with pytest.raises(GeometryError, match="20 phases at 1 place"):
        read_phases(real_data / "mr_heart" / "P09dicom")
