"""Train the small image networks that ship with the package, from nothing, on one processor core.

``python -m MedImageAnalysisLib.recognition.training.network NAME DATA --output FOLDER``

The only part of the library that needs PyTorch, and only to train; what runs the result is onnxruntime. A network is an
ensemble of members. Each member leaves out one part of the training images, and what it says of that part gives the
temperature, the prediction sets and the limit of strangeness: every training image is judged by a member that has never
seen it or its group. Which parts are left out is the recipe's choice: parts that differ as hospitals and machines do
tell what to expect elsewhere.
"""
