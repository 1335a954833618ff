"""Run a checked network with onnxruntime on one processor thread."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import InvalidModelError, MissingPackageError
from ..untrusted_file import read_bytes
from .check import CheckedGraph, Port, check_network, short
from .cost import Cost, cost_of_run

__all__ = ["Network", "load_network", "network_from_bytes", "networks_available"]


def networks_available() -> bool:
    """Tell whether the packages that read and run networks are installed; none of them is imported."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


@lru_cache(maxsize=8)
def load_network(path: Path, sha256: str = "") -> Network:
    """Return the network in a file, checked and ready to run; the last few are kept.

    Parameters
    ----------
    path : pathlib.Path
    sha256 : str
        What the file's checksum must be; "" for files of this package, which nothing else vouches for either.

    Raises
    ------
    InvalidModelError
        If the file is missing or not a network that may be run.
    MissingPackageError
        If onnx or onnxruntime is not installed.
    """
    if not path.is_file():
        raise InvalidModelError(f"{path.parent.name}/{path.name} is missing. Get it again from its source.")
    content = read_bytes(path, sha256) if sha256 else path.read_bytes()
    return network_from_bytes(content, f"{path.parent.name}/{path.name}")


def network_from_bytes(content: bytes, where: str) -> Network:
    """Return the network that `content` describes; `where` names it in messages."""
    graph = check_network(content, where)
    cost_of_run(graph, 1)
    return Network(graph)


class Network:
    """A network: named arrays in, named arrays out, always the same for the same input.

    Parameters
    ----------
    graph : CheckedGraph
        Only what this holds is run.

    Attributes
    ----------
    inputs, outputs : mapping of str to tuple
        Shapes by name; None stands for a size that is left open, in inputs for the number of images.
    """

    def __init__(self, graph: CheckedGraph) -> None:
        self._graph = graph
        self._session = _session(graph)
        self._costs: dict[int, Cost] = {}
        self.inputs = {port.name: port.shape for port in graph.inputs}
        self.outputs = {port.name: port.shape for port in graph.outputs}

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name, float32.

        Parameters
        ----------
        arrays : mapping of str to numpy.ndarray
            One float32 array for each input, of its shape.

        Raises
        ------
        ValueError
            If an array is missing, left over, or of another shape: a mistake of the caller, not of the file.
        InvalidModelError
            If the network cannot be run, takes too much, or returns values that are not finite.
        """
        cost = self.cost(_images(self._graph.inputs, arrays))
        feed = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
        try:
            made = self._session.run(list(self.outputs), feed)
        except _runtime_errors() as error:
            raise InvalidModelError(f"{self._graph.where} cannot be run: {short(error)}.") from None
        found = dict(zip(self.outputs, made, strict=True))
        for name, array in found.items():
            if array.shape != cost.outputs[name] or not np.isfinite(array).all():
                raise InvalidModelError(
                    f"{self._graph.where}: the output '{name}' is not finite or not of the size that was announced."
                )
        return found

    def cost(self, images: int = 1) -> Cost:
        """Return what running that many images at once takes."""
        if images not in self._costs:
            self._costs[images] = cost_of_run(self._graph, images)
        return self._costs[images]


def _session(graph: CheckedGraph):
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingPackageError.of("onnxruntime", "onnx", "Running a network") from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    # What is held between runs would be missing elsewhere, in Slicer for instance; the loss of time is small.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    content = graph.model.SerializeToString(deterministic=True)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        raise InvalidModelError(f"{graph.where} cannot be run: {short(error)}.") from None


@lru_cache(maxsize=1)
def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that onnxruntime raises; it has no base class for them."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError)


def _images(inputs: tuple[Port, ...], arrays: Mapping[str, np.ndarray]) -> int:
    """Return how many images the arrays hold, after comparing their shapes with those of the inputs."""
    wanted = {port.name: port.shape for port in inputs}
    if set(arrays) != set(wanted):
        raise ValueError(f"The network takes {', '.join(wanted)}, but was given {', '.join(arrays) or 'nothing'}.")
    counts = {arrays[name].shape[0] for name, shape in wanted.items() if shape[0] is None and arrays[name].ndim}
    images = counts.pop() if len(counts) == 1 else 1
    for name, shape in wanted.items():
        expected = tuple(images if length is None else length for length in shape)
        if counts or arrays[name].shape != expected:
            raise ValueError(f"The input '{name}' must have the shape {expected}, but has {arrays[name].shape}.")
    return images
