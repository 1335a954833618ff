"""MedImageAnalysis: preprocess, segment, extract features of and recognize medical images. For research use.

The four stages are the packages :mod:`preprocessing`, :mod:`segmentation`, :mod:`features` and :mod:`recognition`;
:mod:`pipeline` is the only place where they meet. Importing this package imports nothing else.
"""

__version__ = "0.1.0"
