"""The recipes of the image models that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..descriptors.scattering import Scattering
from .data import LabelledImage, drawn_by_name, from_folders, from_table
from .fitting import FitSettings
from .recipe import Recipe

__all__ = ["RECIPES"]

_SEED = 20240501


def _code(value: str, meaning: str) -> dict[str, str]:
    return {"scheme": "SCT", "value": value, "meaning": meaning}


_NORMAL = _code("17621005", "Normal")
_CHEST_CLASSES = [
    {"key": "normal", "title": "Normal", "code": _NORMAL},
    {"key": "bacterial-pneumonia", "title": "Bacterial pneumonia", "code": _code("53084003", "Bacterial pneumonia")},
    {"key": "viral-pneumonia", "title": "Viral pneumonia", "code": _code("75570004", "Viral pneumonia")},
]
CHEST_POPULATION: dict[str, Any] = {
    "description": "children of 1 to 5 years, frontal chest radiographs",
    "minimum_age_years": 1,
    "maximum_age_years": 5,
    "dimensions": [2],
}
CHEST_DATA = "chest_xray_kermany: 5,216 radiographs of children of 1 to 5 years (training part of Kermany et al. 2018)"
CHEST_REFERENCES = [
    "Kermany DS et al. Cell 2018;172:1122. doi:10.1016/j.cell.2018.02.010 (data)",
    "Bruna J, Mallat S. IEEE TPAMI 2013;35:1872. doi:10.1109/TPAMI.2012.230 (features)",
]


def chest_cases(folder: Path) -> tuple[LabelledImage, ...]:
    """Return the cases of chest_xray_kermany, with the proposed split, in which no patient is on both sides."""
    return from_table(folder, ("normal", "bacteria", "virus"), image="file", group="patient")


def _breast_cases(folder: Path) -> tuple[LabelledImage, ...]:
    return from_table(folder, ("normal", "benign", "malignant"))


def _brain_cases(folder: Path) -> tuple[LabelledImage, ...]:
    labels = ("notumor", "glioma", "meningioma", "pituitary")
    return from_folders(folder, labels, held_out=0.15, seed=_SEED, draw=drawn_by_name)


CHEST = Recipe(
    description={
        "name": "chest-xray-pneumonia",
        "version": "1.1.0",
        "title": "Pneumonia on chest radiographs of children",
        "modalities": ["CR", "DX", "DR", "RG"],
        "body_parts": ["CHEST", "THORAX"],
        "population": CHEST_POPULATION,
        "classes": _CHEST_CLASSES,
        "intended_use": "Research on frontal chest radiographs of children of 1 to 5 years: normal, bacterial or viral "
        "pneumonia. Not for adults, not for other lung disease, not for diagnosis.",
        "training": {"data": CHEST_DATA, "licence": "CC BY 4.0"},
        "references": CHEST_REFERENCES,
    },
    read=chest_cases,
    folder="chest_xray_kermany",
    descriptors=(Scattering(size=96, grid=6, scales=4, orientations=4),),
    positive=(1, 2),
    exemplars=True,
    question="pneumonia against normal",
    settings=FitSettings(maximum_axes=400, folds=4, stranger_penalty=1e-2, stranger_units=32, seed=_SEED),
    spoiled=True,
    known_failures=(
        "Bacterial and viral pneumonia look alike: about one in five is taken for the other.",
        "One hospital, one kind of machine. Adults look different and are refused by age or as unlike; a "
        "refusal is not certain.",
        "Effusion, tubes, cardiomegaly and tumors are not among the categories.",
    ),
)

BREAST = Recipe(
    description={
        "name": "breast-ultrasound-lesion",
        "version": "1.3.0",
        "title": "Breast lesion on ultrasound",
        "modalities": ["US"],
        "body_parts": ["BREAST"],
        "population": {"description": "women of 25 to 75 years, B-mode ultrasound of the breast", "dimensions": [2]},
        "classes": [
            {"key": "normal", "title": "Normal", "code": _NORMAL},
            {"key": "benign", "title": "Benign lesion", "code": _code("30807003", "Benign")},
            {"key": "malignant", "title": "Malignant lesion", "code": _code("21594007", "Malignant")},
        ],
        "intended_use": "Research on B-mode images of the breast: normal, benign or malignant lesion. "
        "Not for diagnosis.",
        "training": {"data": "breast_ultrasound_busi: 632 images (Al-Dhabyani et al. 2020)", "licence": "CC BY 4.0"},
        "references": [
            "Al-Dhabyani W et al. Data in Brief 2020;28:104863. doi:10.1016/j.dib.2019.104863 (data)",
            CHEST_REFERENCES[1],
        ],
    },
    read=_breast_cases,
    folder="breast_ultrasound_busi",
    descriptors=(Scattering(size=96, grid=6, scales=4, orientations=4),),
    positive=(2,),
    pair=(1, 2),
    exemplars=True,
    question="malignant against benign or normal",
    settings=FitSettings(
        # Inverting an image changes only its local means: with fewer axes that goes unnoticed.
        maximum_axes=400,
        folds=8,
        penalties=(1e-3, 1e-2, 1e-1, 1.0, 10.0),
        stranger_flagged=0.06,
        stranger_penalty=0.1,
        seed=_SEED,
    ),
    copies=4,
    mirror=True,
    spoiled=True,
    known_failures=(
        "480 training images of one hospital: the figures have wide intervals.",
        "The whole image is judged; calipers, text and the choice of the section may speak as loudly as the lesion.",
        "One malignant lesion in three is missed.",
        "What refuses unsuitable images was tuned while looking at the table above.",
    ),
)

BRAIN = Recipe(
    description={
        "name": "brain-tumor-mri",
        "version": "1.2.0",
        "title": "Brain tumor on MR slices",
        "modalities": ["MR"],
        "body_parts": ["BRAIN", "HEAD"],
        "population": {"description": "single T1 slices of the head, mostly with contrast agent", "dimensions": [2]},
        "classes": [
            {"key": "no-tumor", "title": "No tumor", "code": _NORMAL},
            {"key": "glioma", "title": "Glioma", "code": _code("393564001", "Glioma")},
            {"key": "meningioma", "title": "Meningioma", "code": _code("302820008", "Intracranial meningioma")},
            {"key": "pituitary", "title": "Pituitary tumor", "code": _code("254956000", "Pituitary adenoma")},
        ],
        "intended_use": "Research on single MR slices of the head: glioma, meningioma, pituitary tumor or none. "
        "Not for diagnosis, not for volumes.",
        "training": {
            "data": "brain_mri_tumor: 5,708 slices (Nickparvar, Kaggle)",
            "licence": "CC0 as its publisher declares; not verified",
        },
        "references": [CHEST_REFERENCES[1]],
    },
    read=_brain_cases,
    folder="brain_mri_tumor",
    descriptors=(Scattering(size=96, grid=6, scales=4, orientations=4, fill_marks=False),),
    positive=(1, 2, 3),
    exemplars=True,
    question="any tumor against none",
    settings=FitSettings(
        maximum_axes=450, folds=4, stranger_flagged=0.03, stranger_penalty=1e-2, stranger_units=32, seed=_SEED
    ),
    copies=0,
    spoiled=True,
    foreign=True,
    data_notes=(
        "Near-duplicates (thumbnails of 24 x 24 ranks that correlate at 0.95 or more, mirrored ones too) form groups; "
        "a group is never on both sides of a split. Patients are not known, so slices of one patient that look "
        "different may be on both sides.",
    ),
    known_failures=(
        "The slices without tumor come from other sources and other sequences than those with one: part of what the "
        "model sees is the source.",
        "Three in ten slices that are upside down are assessed all the same, mostly axial ones, which look much alike "
        "either way.",
    ),
)

RECIPES = {recipe.description["name"]: recipe for recipe in (CHEST, BREAST, BRAIN)}
