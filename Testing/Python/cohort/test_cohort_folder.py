"""A folder tree as a cohort: series wherever their files lie, what is no case with its reason, and no identity left."""

import gzip
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("pydicom", reason="reading DICOM needs the extra 'dicom'")
sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))
from dicom_phantom import image_dataset, object_without_image, write, write_series
from pydicom.uid import UID

import MedImageAnalysisLib
from MedImageAnalysisLib.cohort.engines.serial import SerialEngine
from MedImageAnalysisLib.cohort.folder import FolderIndex
from MedImageAnalysisLib.cohort.identity import Pseudonyms, key_file_of, without_file_names
from MedImageAnalysisLib.cohort.run import run_cohort
from MedImageAnalysisLib.cohort.source import open_source
from MedImageAnalysisLib.cohort.store import Store
from MedImageAnalysisLib.errors import UnsuitablePresetError
from MedImageAnalysisLib.preset import load_preset

KEY = Pseudonyms(bytes(32))
REPORT = UID("1.2.840.10008.5.1.4.1.1.88.33")
SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.4")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "archive"


def index(root, **options):
    return FolderIndex(root, KEY, **options)


def radiograph(**attributes):
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8)
    return image_dataset(pixels, position=None, orientation=None, Modality="DX", **attributes)


class TestCases:
    def test_a_series_is_one_case_wherever_its_files_lie(self, root):
        for number, file in enumerate(write_series(root / "a", series="1.2.5")):
            (root / f"b{number % 3}").mkdir(exist_ok=True)
            file.rename(root / f"b{number % 3}" / file.name)
        (case,) = index(root).cases()
        assert len(case.files) == 6

    def test_two_series_in_one_folder_are_two_cases(self, root):
        for file in write_series(root, series="1.2.5"):
            file.rename(file.with_name(f"first-{file.name}"))
        write_series(root, series="1.2.6")
        assert sorted(len(case.files) for case in index(root).cases()) == [6, 6]

    def test_radiographs_of_one_series_are_cases_of_their_own(self, root):
        for number in range(3):
            write(root / f"{number}.dcm", radiograph())
        assert [len(case.files) for case in index(root).cases()] == [1, 1, 1]

    def test_cases_of_one_patient_share_the_pseudonym(self, root):
        write(root / "1.dcm", radiograph())
        write(root / "2.dcm", radiograph())
        write(root / "3.dcm", radiograph(PatientID="another"))
        assert len({case.patient for case in index(root).cases()}) == 2

    def test_other_images_are_cases_with_the_file_of_their_pixels(self, root, write_image):
        write_image(root / "a" / "one.png")
        write_image(root / "b" / "two.mhd")
        files = sorted(tuple(file.name for file in case.files) for case in index(root).cases())
        assert files == [("one.png",), ("two.mhd", "two.raw")]
        assert not list(index(root).quarantined())

    def test_names_are_the_same_each_time_and_wherever_the_tree_lies(self, root, write_image, tmp_path):
        write_image(root / "a" / "one.nrrd")
        (here,) = index(root).cases()
        root.rename(tmp_path / "moved")
        (there,) = index(tmp_path / "moved").cases()
        assert here.name == there.name

    def test_ids_are_kept_if_asked_for(self, root, write_image):
        write_image(root / "a" / "one.nrrd")
        write(root / "1.dcm", radiograph(PatientID="P7", SOPInstanceUID="1.2.77"))
        found = {case.name: case.patient for case in index(root, keep_ids=True).cases()}
        assert found == {"a/one.nrrd": "", "1.2.77": "P7"}

    def test_the_store_is_no_part_of_the_input(self, root, write_image, simple_preset):
        write_image(root / "one.nrrd")
        for _ in range(2):
            source = open_source(root, KEY, leave_out=root / "store")
            run_cohort(source.cases(), root / "store", simple_preset, SerialEngine())
            assert len(source) == 1
        assert len(index(root)) == 1


class TestQuarantine:
    @pytest.fixture
    def reasons(self, root):
        def of(**options):
            found = index(root, **options)
            return [each.reason for each in found.quarantined()], len(found)

        return of

    def test_what_is_not_an_image(self, root, reasons, write_image):
        write_image(root / "one.nrrd")
        (root / "notes.txt").write_text("no image")
        (root / "empty.nrrd").touch()
        (root / "labels.seg.nrrd").write_bytes((root / "one.nrrd").read_bytes())
        words, cases = reasons()
        assert cases == 1
        assert [word.split(".")[0] for word in words] == [
            "It is empty (0 bytes)",
            "It is a segmentation, not an image",
            "It is not an image: neither DICOM nor NIfTI, NRRD, MetaImage, PNG, JPEG or TIFF",
        ]

    @pytest.mark.parametrize(("kind", "word"), [(REPORT, "structured report"), (SEGMENTATION, "segmentation")])
    def test_dicom_objects_without_an_image(self, root, reasons, kind, word):
        write(root / "object.dcm", object_without_image(kind))
        (reason,), cases = reasons()
        assert (cases, word in reason) == (0, True)

    def test_a_series_with_a_truncated_slice_is_left_out_whole(self, root, reasons):
        files = write_series(root, size=(64, 64))
        files[2].write_bytes(files[2].read_bytes()[:-4000])
        (reason,), cases = reasons()
        assert (cases, "truncated" in reason) == (0, True)

    def test_a_scrambled_file_among_slices_leaves_the_series_out(self, root, reasons):
        files = write_series(root)
        files[2].write_bytes(files[2].read_bytes()[:200])
        write(root / "radiograph.dcm", radiograph())
        words, cases = reasons()
        assert cases == 1
        assert any("may be one of them" in word for word in words)

    def test_localizers(self, root, reasons):
        write_series(root, count=2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        (reason,), cases = reasons()
        assert (cases, "localizers" in reason) == (0, True)

    def test_a_preset_for_another_modality_is_refused_before_any_work(self, root):
        write_series(root)
        with pytest.raises(UnsuitablePresetError, match=r"for .*DX.*, but the 1 cases are CT"):
            open_source(root, KEY).check_suits(load_preset("chest-xray"))


SECRETS = ("Mustermann", "Secret", "4711-0815", "19610224", "ACC99887", "Erika")


class TestPrivacy:
    @pytest.fixture
    def archive(self, root):
        """DICOM that names its patient everywhere: in headers, files, folders, and values that are none."""
        identity = {
            "PatientID": "4711-0815",
            "PatientBirthDate": "19610224",
            "AccessionNumber": "ACC99887",
            "StudyDate": "20200101",
        }
        identity |= {"StudyDescription": "Knee of Erika Mustermann", "InstitutionName": "Secret Clinic"}
        folder = root / "Mustermann^Erika" / "4711-0815"
        for file in write_series(folder, **identity):
            file.rename(file.with_name(f"ACC99887-{file.name}"))
        cut = write(folder / "Secret Mustermann.dcm", radiograph(**identity, SeriesInstanceUID="1.2.88"))
        cut.write_bytes(cut.read_bytes()[:-20])
        color = np.zeros((6, 8, 3), np.uint8)
        write(
            root / "Secret" / "Erika.dcm",
            image_dataset(color, position=None, SamplesPerPixel=3, PhotometricInterpretation="RGB", **identity),
        )
        mixed_up = write(
            root / "Erika" / "mixed-up.dcm",
            radiograph(**identity, SOPInstanceUID="1.2.99", PixelSpacing=["0.123456789", "0.123456789"]),
        )
        mixed_up.write_bytes(mixed_up.read_bytes().replace(b"0.123456789", b"Mustermann "))
        (folder / "4711-0815.nrrd").write_bytes(b"NRRD0004\ntype: Mustermann\n")
        write(folder / "report-4711-0815.dcm", object_without_image(REPORT))
        return root

    @pytest.fixture
    def store(self, archive, tmp_path, simple_preset):
        store, folder = tmp_path / "store", archive / "Mustermann^Erika" / "4711-0815"
        source = open_source(archive, Pseudonyms.from_file(key_file_of(store)))
        tally = run_cohort(source.cases(), store, simple_preset, SerialEngine())
        assert (tally.done, tally.failed) == (1, 4)
        assert Store(store).keep_quarantine(source.quarantined()) == 1
        table = archive / "Mustermann.csv"
        damaged = folder / "4711-0815.nrrd"
        table.write_text(
            f"id,image,patient,patient_name,birth_date,sex\n4711-0815,{damaged},4711-0815,Mustermann,19610224,F\n"
        )
        run_cohort(open_source(table, KEY).cases(), store, simple_preset, SerialEngine())
        pytest.importorskip("pyarrow", reason="the table of a store needs the extra 'cohort'")
        from MedImageAnalysisLib.cohort.derived import rebuild

        rebuild(Store(store))
        return store

    def test_nothing_in_the_store_tells_who_the_patient_is(self, store):
        files = [path for path in store.rglob("*") if path.is_file()]
        assert len(files) > 8
        for path in files:
            for content in (str(path.relative_to(store)).encode(), path.read_bytes(), decompressed(path)):
                for secret in SECRETS:
                    assert secret.encode() not in content, path
        assert b'"F"' in b"".join(path.read_bytes() for path in store.glob("cases/*/*.json"))

    def test_nothing_that_a_run_prints_tells_it(self, archive, tmp_path, simple_preset):
        pytest.importorskip("typer", reason="the command line needs the extra 'cli'")
        (tmp_path / "simple.json").write_text(json.dumps(simple_preset.to_json()))
        options = ["-p", "simple.json", "-o", "store", "--workers", "1"]
        environment = {**os.environ, "PYTHONPATH": str(Path(MedImageAnalysisLib.__file__).parents[1])}
        command = [sys.executable, "-m", "MedImageAnalysisLib", "cohort", str(archive), *options]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 3
        assert "1 done, 4 failed, 0 lost, 0 were in the store, 1 left out" in run.stdout
        assert run.stderr.count("failed: ") == 4
        assert not [secret for secret in SECRETS if secret in run.stdout + run.stderr]

    def test_the_key_lies_beside_the_store(self, store):
        assert key_file_of(store).exists()
        assert not list(store.rglob("*.key"))


class TestThumbnails:
    @pytest.fixture
    def thumbnails(self, root, tmp_path, simple_preset):
        """Runs over the archive; returns the thumbnails as arrays."""

        def run():
            run_cohort(open_source(root, KEY).cases(), tmp_path / "store", simple_preset, SerialEngine())
            paths = (tmp_path / "store").glob("artifacts/*/*/thumbnail.png")
            return [sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[..., 0] for path in paths]

        return run

    @pytest.mark.parametrize("side", [90, 224, 600])
    def test_burned_in_text_is_smeared(self, root, thumbnails, side):
        pixels = np.full((side, side), 50, np.uint8)
        pixels[side // 4 : side // 2, side // 4 :] = 150
        # Strokes of two pixels with gaps of two, as of letters ten pixels high.
        pixels[4:14, 8:48:4] = pixels[4:14, 9:48:4] = 250
        root.mkdir()
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(root / "image.png"))
        (thumbnail,) = thumbnails()
        assert max(thumbnail.shape) <= 96
        stride = side // thumbnail.shape[1]
        strokes = thumbnail[1, 8 // stride + 1 : 48 // stride].astype(int)
        assert np.ptp(strokes) < 0.25 * (250 - 50)

    def test_an_image_that_says_so_has_none(self, root, thumbnails):
        write(root / "plain.dcm", radiograph(SOPInstanceUID="1.2.70"))
        write(root / "marked.dcm", radiograph(SOPInstanceUID="1.2.71", BurnedInAnnotation="YES"))
        assert len(thumbnails()) == 1


def decompressed(path):
    """The values of a compressed file."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return json.dumps(pq.read_table(path).to_pylist()).encode()
    if path.name.endswith(".nrrd"):
        header, _, data = content.partition(b"\n\n")
        return header + (gzip.decompress(data) if b"gzip" in header else data)
    if path.suffix == ".png":
        start = content.index(b"IDAT")
        return zlib.decompress(content[start + 4 :][: int.from_bytes(content[start - 4 : start], "big")])
    return content


def test_names_of_files_and_folders_are_taken_out_of_messages():
    path = Path("/data/Doe/scan-doe.dcm")
    text = "'scan-doe.dcm' in 'Doe' is damaged: /data/Doe/scan-doe.dcm; beside scan-doe.dcm"
    assert without_file_names(text, [path]) == "the file in the folder is damaged: the file; beside the file"
