"""Stage 4, recognition: models, what they are given, and the tables of probabilities they return."""

from __future__ import annotations

from .case import RecognitionCase
from .library import USER_MODELS_VARIABLE, available_models, best_available, load_model
from .model import Model
from .recognize import RESEARCH_NOTICE, recognize

__all__ = [
    "RESEARCH_NOTICE",
    "USER_MODELS_VARIABLE",
    "Model",
    "RecognitionCase",
    "available_models",
    "best_available",
    "load_model",
    "recognize",
]
