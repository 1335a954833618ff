"""Training: collections, near-duplicates, variations, and a model made from images from end to end."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from recognition_cases import make_case

from MedImageAnalysisLib.analysis import MedicalImage
from MedImageAnalysisLib.errors import InvalidModelError, InvalidSettingError, UnreadableImageError
from MedImageAnalysisLib.progress import Progress
from MedImageAnalysisLib.recognition import RecognitionCase, load_model, recognize
from MedImageAnalysisLib.recognition.descriptors.scattering import Scattering
from MedImageAnalysisLib.recognition.training.augmentation import varied
from MedImageAnalysisLib.recognition.training.data import from_table, read_pixels
from MedImageAnalysisLib.recognition.training.fitting import FitSettings
from MedImageAnalysisLib.recognition.training.images import train
from MedImageAnalysisLib.recognition.training.recipes import CHEST
from MedImageAnalysisLib.recognition.training.table import evaluate_on_table, train_from_table


def disc(random: np.random.Generator, filled: bool) -> sitk.Image:
    """A ring or a disc somewhere in the middle, with noise."""
    rows, columns = np.mgrid[-1:1:64j, -1:1:64j]
    distance = np.hypot(rows - random.uniform(-0.2, 0.2), columns - random.uniform(-0.2, 0.2))
    shape = (distance < 0.6) & (filled | (distance > 0.4))
    return sitk.GetImageFromArray(
        (shape * 100 + random.normal(size=shape.shape) * 10 + 60).clip(0, 255).astype(np.uint8)
    )


@pytest.fixture(scope="module")
def discs_and_rings(tmp_path_factory):
    """A collection of 120 pictures with a table of cases."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "shapes"
    folder.mkdir()
    random = np.random.default_rng(5)
    lines = ["image,label,group,split"]
    for i in range(120):
        sitk.WriteImage(disc(random, i % 2 == 0), str(folder / f"{i}.png"))
        lines.append(f"{i}.png,{'ring' if i % 2 else 'disc'},{i // 2},{'val' if i % 8 < 2 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def shape_model(discs_and_rings, tmp_path_factory):
    """A model trained from that collection."""
    recipe = replace(
        CHEST,
        description=CHEST.description
        | {
            "name": "shapes",
            "classes": [{"key": "disc", "title": "Disc", "code": None}, {"key": "ring", "title": "Ring", "code": None}],
        },
        read=lambda folder: from_table(folder, ("disc", "ring")),
        folder="shapes",
        descriptors=(Scattering(size=32, grid=4, scales=2, orientations=4),),
        positive=(1,),
        question="ring against disc",
        settings=FitSettings(maximum_axes=20, folds=3, members=5, repeats=50, penalties=(1e-2, 1.0)),
    )
    work = tmp_path_factory.mktemp("work")
    return train(recipe, discs_and_rings, work / "models" / "shapes", work, Progress())


def test_training_makes_a_model_that_recognizes_new_images(shape_model):
    random = np.random.default_rng(99)
    right = 0
    for i in range(40):
        image = disc(random, filled=i % 2 == 0)
        found = recognize(shape_model, RecognitionCase(MedicalImage(image), image))
        right += (
            found.assessed and max(found.categories, key=lambda r: r.probability).category == ("Disc", "Ring")[i % 2]
        )
    assert right >= 36


def test_recognition_of_an_image_draws_its_evidence(shape_model):
    image = disc(np.random.default_rng(98), filled=True)
    found = recognize(shape_model, RecognitionCase(MedicalImage(image), image))
    assert found.evidence_map.GetSize() == (96, 96)
    assert found.evidence[0].feature.startswith("scattering[")


def test_an_image_of_another_kind_is_not_assessed(shape_model):
    image = sitk.GetImageFromArray(np.sin(np.arange(64 * 64.0).reshape(64, 64)))
    assert not recognize(shape_model, RecognitionCase(MedicalImage(image), image)).assessed


def test_the_map_depends_on_the_weights(shape_model):
    """The sanity check of Adebayo et al. 2018: a map that ignored the weights would explain nothing."""
    from MedImageAnalysisLib.recognition import linear

    image = disc(np.random.default_rng(97), filled=True)
    case = RecognitionCase(MedicalImage(image), image)
    honest = sitk.GetArrayFromImage(linear.assess(shape_model, case).evidence_map)
    arrays = dict(shape_model.weights())
    random = np.random.default_rng(2)
    arrays["weights"] = random.permuted(arrays["weights"], axis=0)

    class Shuffled:
        spec, classes, population = shape_model.spec, shape_model.classes, shape_model.population
        folder = shape_model.folder

        def weights(self):
            return arrays

    shuffled = sitk.GetArrayFromImage(linear.assess(Shuffled(), case).evidence_map)
    assert abs(np.corrcoef(honest.ravel(), shuffled.ravel())[0, 1]) < 0.8


def test_the_card_holds_the_figures(shape_model):
    card = shape_model.card()
    assert "AUC, ring against disc" in card
    assert "Known failures" in card
    assert {row.measure for row in shape_model.performance} >= {"Coverage of the prediction sets"}


def test_descriptors_of_the_images_and_of_what_does_not_belong_are_kept_for_the_next_training(shape_model):
    stored = sorted(path.name for path in shape_model.folder.parent.parent.glob("shapes-*.npz"))
    assert [name.startswith("shapes-spoiled-") for name in stored] == [False, True]


def test_variations_are_repeatable_and_stay_on_the_grid():
    image = disc(np.random.default_rng(4), filled=False)
    image.SetSpacing((0.5, 0.7))
    one, two = (sitk.GetArrayFromImage(varied(image, np.random.default_rng(6))) for _ in range(2))
    assert np.array_equal(one, two)
    assert varied(image, np.random.default_rng(6)).GetSpacing() == (0.5, 0.7)
    assert not np.array_equal(one, sitk.GetArrayFromImage(varied(image, np.random.default_rng(7))))


def test_a_table_without_its_columns_is_refused(tmp_path):
    with pytest.raises(UnreadableImageError, match="no table"):
        from_table(tmp_path, ("a",))
    (tmp_path / "labels.csv").write_text("image,group\nx.png,a\n")
    with pytest.raises(InvalidSettingError, match="label"):
        from_table(tmp_path, ("a",))
    (tmp_path / "labels.csv").write_text("image,label,group,split\nx.png,b,1,val\n")
    with pytest.raises(InvalidSettingError, match="not expected: b"):
        from_table(tmp_path, ("a",))


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"not an image")
    with pytest.raises(UnreadableImageError, match=r"broken\.png"):
        read_pixels(tmp_path / "broken.png")


def test_an_image_model_refuses_volumes(shape_model):
    assert "3D" in recognize(shape_model, make_case(dimension=3)).reason


def test_a_folder_with_a_table_is_all_it_takes(discs_and_rings, tmp_path):
    model = train_from_table(
        discs_and_rings / "shapes",
        tmp_path / "my-shapes",
        title="Shapes",
        intended_use="Tests",
        population="drawn shapes",
        licence="none",
        descriptors=(Scattering(size=32, grid=2, scales=2, orientations=4),),
        settings=FitSettings(maximum_axes=20, folds=3, members=5, repeats=50, penalties=(1e-2, 1.0)),
    )
    assert [category.title for category in model.classes] == ["disc", "ring"]
    judgement = evaluate_on_table(model, discs_and_rings / "shapes", repeats=50)
    assert judgement.figures["Accuracy, 2 categories"].value > 0.9
    assert judgement.confusion.sum() == 120


def test_a_model_that_needs_segmentations_is_not_judged_on_images(linear_folder, discs_and_rings):
    with pytest.raises(InvalidModelError, match="segmented"):
        evaluate_on_table(load_model(linear_folder), discs_and_rings / "shapes")


@pytest.mark.parametrize("image", [sitk.Image(9, 9, sitk.sitkUInt8), sitk.Image([64, 64], sitk.sitkVectorUInt8, 3)])
def test_an_image_that_cannot_be_described_is_not_assessed(shape_model, image):
    found = recognize(shape_model, RecognitionCase(MedicalImage(image), image))
    assert not found.assessed
    assert found.reason
