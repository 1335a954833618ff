"""The network of breast ultrasound as it is trained; `train_breast_ultrasound_network.py` puts its parts together."""

import common  # noqa: F401  finds the package
