"""Train and judge recognition models: grouped splits, softmax regression, calibration, prediction sets, figures.

Only numpy and scipy are needed. The scripts that make the shipped models again are modules of this package, run as
``python -m MedImageAnalysisLib.recognition.training.textbook DATA --output FOLDER``.
"""
