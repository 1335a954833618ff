"""`medimage train` and `medimage evaluate`: labelled images in, a model with an honest card out."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("typer", reason="the command line needs the extra 'cli'")
pytest.importorskip("matplotlib", reason="the plots need the extra 'train'")

from MedImageAnalysisLib.cli import run
from MedImageAnalysisLib.recognition import load_model

PLOTS = {"roc.png", "reliability.png", "confusion.png"}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of 80 pictures of discs and rings with a table of cases."""
    folder = tmp_path_factory.mktemp("shapes")
    random = np.random.default_rng(5)
    lines = ["image,label,group,split"]
    rows, columns = np.mgrid[-1:1:48j, -1:1:48j]
    for i in range(80):
        distance = np.hypot(rows - random.uniform(-0.2, 0.2), columns - random.uniform(-0.2, 0.2))
        shape = (distance < 0.6) & ((i % 2 == 0) | (distance > 0.4))
        pixels = (shape * 100 + random.normal(size=shape.shape) * 10 + 60).clip(0, 255).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(folder / f"{i}.png"))
        lines.append(f"{i}.png,{'ring' if i % 2 else 'disc'},{i // 2},{'val' if i % 8 < 2 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def models(shapes, tmp_path_factory):
    """A folder of models with the one that `medimage train` makes of the shapes."""
    folder = tmp_path_factory.mktemp("models")
    assert run(["train", str(shapes), "--model", "rings", "-o", str(folder), "--copies", "0", "--folds", "2"]) == 0
    return folder


def test_training_leaves_a_model_with_card_and_plots_and_nothing_else(models):
    assert [path.name for path in models.iterdir()] == ["rings"]
    assert {path.name for path in (models / "rings").iterdir()} == {"model.json", "weights.npz", "CARD.md"} | PLOTS
    card = (models / "rings" / "CARD.md").read_text(encoding="utf-8")
    assert all(f"({name})" in card for name in PLOTS)


def test_the_model_appears_in_the_list(models, monkeypatch, capsys):
    monkeypatch.setenv("MEDIMAGE_MODELS", str(models))
    assert run(["models"]) == 0
    assert "rings" in capsys.readouterr().out


def test_the_same_data_and_seed_give_the_same_model(shapes, models, tmp_path):
    run(["train", str(shapes), "--model", "rings", "-o", str(tmp_path), "--copies", "0", "--folds", "2"])
    again, first = (load_model(folder / "rings").weights_sha256 for folder in (tmp_path, models))
    assert again == first


def test_evaluation_prints_figures_and_draws_plots(shapes, models, tmp_path, capsys):
    assert run(["evaluate", str(models / "rings"), str(shapes), "--plots", str(tmp_path / "plots")]) == 0
    told = capsys.readouterr().out
    assert "AUC, not disc" in told
    assert "80 cases" in told
    assert {path.name for path in (tmp_path / "plots").iterdir()} == PLOTS


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, "no table of cases"),
        ("image,label\n0.png,disc\n", "2 to 50 different labels"),
        ("image,label,group,split\n0.png,disc,1,train\n1.png,ring,2,val\n", "at least 5 and 1 are needed"),
        ("image,label,group,split\nmissing.png,disc,1,train\n1.png,ring,2,val\n", "at least 5 and 1 are needed"),
    ],
)
def test_a_table_that_does_not_do_is_refused_with_the_reason(table, told, tmp_path, capsys):
    if table:
        (tmp_path / "labels.csv").write_text(table)
    assert run(["train", str(tmp_path), "--model", "x", "-o", str(tmp_path)]) == 1
    assert told in capsys.readouterr().err


def test_a_group_on_both_sides_of_the_split_is_refused(shapes, tmp_path, capsys):
    text = (shapes / "labels.csv").read_text(encoding="utf-8").replace("\n2.png,disc,1,", "\n2.png,disc,0,")
    (tmp_path / "labels.csv").write_text(text)
    assert run(["train", str(tmp_path), "--model", "x", "-o", str(tmp_path)]) == 1
    assert "both sides" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "X", "", "a b"])
def test_a_name_that_is_none_is_refused(shapes, name, tmp_path, capsys):
    assert run(["train", str(shapes), "--model", name, "-o", str(tmp_path)]) == 1
    assert "no name for a model" in capsys.readouterr().err


def test_a_folder_that_is_no_model_is_not_replaced(shapes, tmp_path, capsys):
    (tmp_path / "precious").mkdir()
    assert run(["train", str(shapes), "--model", "precious", "-o", str(tmp_path)]) == 1
    assert "is not a model" in capsys.readouterr().err
    assert (tmp_path / "precious").is_dir()


def test_evaluation_refuses_labels_that_the_model_does_not_know(models, shapes, tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("image,label,group,split\n0.png,square,1,val\n")
    assert run(["evaluate", str(models / "rings"), str(tmp_path)]) == 1
    assert "not expected: square" in capsys.readouterr().err


def test_evaluation_reads_subfolders_as_training_does(models, shapes, tmp_path, capsys):
    for i in range(12):
        folder = tmp_path / "new" / ("ring" if i % 2 else "disc")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(shapes / f"{i}.png", folder)
    assert run(["evaluate", str(models / "rings"), str(tmp_path / "new")]) == 0
    assert "12 cases" in capsys.readouterr().out
    (tmp_path / "new" / "ring").rename(tmp_path / "new" / "square")
    assert run(["evaluate", str(models / "rings"), str(tmp_path / "new")]) == 1
    assert "none of the labels disc, ring: square" in capsys.readouterr().err


def test_a_table_of_features_makes_a_model_too(tmp_path, capsys):
    random = np.random.default_rng(8)
    lines = ["label,angle"] + [f"{'ab'[i % 2]},{i % 2 + random.normal() * 0.2:.3f}" for i in range(60)]
    (tmp_path / "cases.csv").write_text("\n".join(lines))
    assert run(["train", str(tmp_path / "cases.csv"), "--model", "angles", "-o", str(tmp_path / "models")]) == 0
    assert load_model(tmp_path / "models" / "angles").spec.inputs[0].key == "angle"
    assert "AUC, not a" in capsys.readouterr().out
