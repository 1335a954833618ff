"""Where networks are trained, and that the same seed trains the same one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["repeatable"]


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Train here: on the graphics card where PyTorch finds one, else on the processor, with random numbers of a seed.

    What PyTorch makes within the block is made on that device.
    """
    import torch

    # Sums in another order would give other weights.
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    torch.manual_seed(seed)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        yield
