"""Stage 1, preprocess: denoise, enhance contrast, correct brightness and bias, resample."""

from .step import STEPS, PreprocessingStep

__all__ = ["STEPS", "PreprocessingStep"]
