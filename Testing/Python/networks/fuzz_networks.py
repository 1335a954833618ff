"""Feed thousands of mutated networks to the check and the runtime: ``python Testing/Python/networks/fuzz_networks.py``.

Bits are flipped, files cut and spliced, and single fields of the message changed: numbers to extreme ones, operators
to other ones that are allowed, names to other names, parts repeated, removed or swapped. What passes the check is run.
Each must give a clear error or a result. The work is done in processes of their own, so that a crash or a hang is seen,
counted, and does not end the search; ``--seed`` and the number of the trial make a finding again.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parents[1] / "MedImageAnalysis")]

from MedImageAnalysisLib.errors import InvalidModelError  # noqa: E402
from MedImageAnalysisLib.networks import allowed  # noqa: E402
from MedImageAnalysisLib.networks.network import network_from_bytes  # noqa: E402
from tiny_network import many_operators_network, sides_network  # noqa: E402

__all__ = ["mutated", "outcome"]

# A trial that takes longer, or a process that takes more memory, counts as a hang or a crash.
LONGEST_SECONDS = 30.0
MEMORY_BYTES = 6 * 2**30
INTEGERS = [0, 1, -1, 2, 3, 7, 16, 17, 64, 255, 2**20, -(2**20), 2**31 - 1, -(2**31), 2**32, 2**62, 2**63 - 1, -(2**63)]
NUMBERS = [0.0, -0.0, 1e-45, -1.0, 1e30, -1e30, 3.4e38, float("inf"), float("nan")]
TEXTS = [
    "",
    "x",
    "/etc/passwd",
    "\u0000",
    "é" * 100,
    "a" * 5000,
    "linear",
    "cubic",
    "reflect",
    "wrap",
    "edge",
    "SAME_UPPER",
]


def seeds() -> list:
    """The sound networks that everything is made from."""
    return [sides_network(features=1), many_operators_network()]


def mutated(models: list, dice: random.Random) -> bytes:
    """Return the file of one of the models after one to four mutations."""
    model = type(models[0])()
    model.CopyFrom(dice.choice(models))
    kind = dice.random()
    if kind < 0.7:
        for _ in range(dice.randrange(1, 5)):
            change_message(model, dice)
        return model.SerializeToString()
    return change_bytes(bytearray(model.SerializeToString()), dice)


def change_bytes(content: bytearray, dice: random.Random) -> bytes:
    """Flip bits, cut off the end, or copy a part of the file to another place."""
    kind = dice.random()
    if kind < 0.7:
        for _ in range(dice.randrange(1, 9)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    elif kind < 0.85:
        del content[dice.randrange(len(content)) :]
    else:
        start, length, place = dice.randrange(len(content)), dice.randrange(1, 200), dice.randrange(len(content))
        content[place:place] = content[start : start + length]
    return bytes(content)


def change_message(model, dice: random.Random) -> None:
    """Change one thing in the message: half the time what the graph computes, else any field of any part."""
    graph = model.graph
    if dice.random() < 0.5 and graph.node and graph.initializer:
        change_graph(graph, dice)
    else:
        change_field(dice.choice(list(parts_of(model))), dice)


def change_graph(graph, dice: random.Random) -> None:
    """Change an operator, a wire, an attribute or a shape into another that may exist."""
    node, tensor = dice.choice(graph.node), dice.choice(graph.initializer)
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    kind = dice.randrange(7)
    if kind == 0:
        node.op_type = dice.choice(sorted(allowed.OPERATORS))
    elif kind == 1 and node.input:
        node.input[dice.randrange(len(node.input))] = dice.choice(names)
    elif kind == 2:
        node.input.append(dice.choice([*names, ""]))
    elif kind == 3 and node.attribute:
        change_field(dice.choice(node.attribute), dice)
    elif kind == 4:
        donor = dice.choice(graph.node)
        node.attribute.extend(donor.attribute[:1])
    elif kind == 5 and tensor.dims:
        reshape(tensor, dice)
    elif len(graph.node) > 1:
        first, second = dice.sample(range(len(graph.node)), 2)
        names_swapped = graph.node[first].op_type, graph.node[second].op_type
        graph.node[second].op_type, graph.node[first].op_type = names_swapped


def reshape(tensor, dice: random.Random) -> None:
    """Give a tensor another shape and, for small ones, as many values as that holds."""
    tensor.dims[dice.randrange(len(tensor.dims))] = dice.choice([0, 1, 2, 3, 5, 31, 1000])
    if dice.random() < 0.5:
        tensor.dims.append(dice.choice([0, 1, 2]))
    size = int(np.prod(list(tensor.dims)))
    if size <= 100_000 and tensor.data_type in allowed.TYPES:
        width = allowed.TYPES[tensor.data_type]
        tensor.raw_data = dice.choice([bytes(width), b"\x01" + bytes(width - 1)]) * size


def parts_of(message):
    """Yield a message and all messages in it."""
    yield message
    for field, found in message.ListFields():
        if field.message_type is not None:
            for part in [found] if hasattr(found, "ListFields") else found:
                yield from parts_of(part)


def change_field(message, dice: random.Random) -> None:
    """Set, repeat, remove or mix up one field of a message."""
    field = dice.choice(message.DESCRIPTOR.fields)
    found = getattr(message, field.name)
    if hasattr(found, "append") or hasattr(found, "add"):
        change_list(found, field, dice)
    elif field.message_type is not None:
        found.SetInParent() if dice.random() < 0.5 else message.ClearField(field.name)
    elif dice.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, strange_value(field, dice))


def change_list(found, field, dice: random.Random) -> None:
    """Remove, repeat or add an element of a repeated field."""
    kind = dice.random()
    if len(found) and kind < 0.3:
        del found[dice.randrange(len(found))]
    elif field.message_type is not None:
        part = found.add()
        if len(found) > 1:
            part.CopyFrom(found[dice.randrange(len(found) - 1)])
    elif len(found) and kind < 0.7:
        found[dice.randrange(len(found))] = strange_value(field, dice)
    else:
        found.append(strange_value(field, dice))


def strange_value(field, dice: random.Random):
    """Return an extreme value of the type of a field."""
    types = {field.TYPE_FLOAT: NUMBERS, field.TYPE_DOUBLE: NUMBERS, field.TYPE_STRING: TEXTS}
    if field.type == field.TYPE_BYTES:
        return dice.choice(TEXTS).encode()
    if field.type == field.TYPE_ENUM:
        return dice.choice([each.number for each in field.enum_type.values])
    if field.type in types:
        return dice.choice(types[field.type])
    bits = {field.TYPE_INT32: 31, field.TYPE_INT64: 63}.get(field.type, 32)
    allowed_numbers = [n for n in INTEGERS if -(2**bits) <= n < 2**bits]
    return dice.choice([n for n in allowed_numbers if n >= 0] if bits == 32 else allowed_numbers)


def outcome(content: bytes) -> str:
    """Check a file and run what passes; return what came of it in a word or two."""
    try:
        network = network_from_bytes(content, "fuzz")
        for images in (1, 2):
            shapes = {name: [images if n is None else n for n in shape] for name, shape in network.inputs.items()}
            network.run({name: np.full(shape, 0.25, dtype=np.float32) for name, shape in shapes.items()})
    except InvalidModelError as error:
        message = str(error)
        if len(message) > 1000 or not message:
            return "unclear error"
        return "refused by the runtime" if "cannot be run" in message else "refused by the check"
    return "ran"


def work(seed: int, first: int, last: int) -> None:
    """Do trials one after the other in this process, telling of each when it starts and what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    models = seeds()
    for trial in range(first, last):
        content = mutated(models, random.Random(seed * 10_000_019 + trial))
        print(json.dumps({"trial": trial}), flush=True)
        started = time.process_time()
        found = outcome(content)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"outcome": found, "seconds": time.process_time() - started, "peak": peak}), flush=True)


def search(seed: int, trials: int) -> tuple[collections.Counter, float, float, list[str]]:
    """Do all trials in processes of their own; return outcomes, the longest time, the peak, and what went wrong."""
    counts: collections.Counter = collections.Counter()
    longest, peak, wrong, first = 0.0, 0.0, [], 0
    while first < trials:
        command = [sys.executable, __file__, "--seed", str(seed), "--work", str(first), str(trials)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            watch = Watch(process)
            for line in process.stdout:
                told = json.loads(line)
                watch.touch()
                if "trial" in told:
                    first = told["trial"]
                    continue
                counts[told["outcome"]] += 1
                longest, peak = max(longest, told["seconds"]), max(peak, told["peak"])
                first += 1
            watch.stop()
            errors = process.stderr.read()
        if process.returncode:
            counts["hung" if watch.killed else "crashed"] += 1
            wrong.append(f"trial {first}: exit code {process.returncode} {errors.strip()[-300:]}")
            first += 1
    return counts, longest, peak, wrong


class Watch:
    """Kills a process that has not told of anything for too long."""

    def __init__(self, process: subprocess.Popen) -> None:
        import threading

        self.killed = False
        self._process, self._last, self._stopped = process, time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def touch(self) -> None:
        self._last = time.monotonic()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(0.5):
            if time.monotonic() - self._last > LONGEST_SECONDS:
                self.killed = True
                self._process.kill()
                return


def main() -> None:
    """Search, and tell; exit code 1 if anything crashed, hung or gave no clear error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.seed, *chosen.work)
        return
    counts, longest, peak, wrong = search(chosen.seed, chosen.trials)
    for name, count in counts.most_common():
        print(f"{count:6} {name}")
    print(f"longest trial {longest:.2f} s of processor time, peak memory {peak / 2**20:.0f} MB")
    for line in wrong:
        print(line)
    sys.exit(bool(wrong or counts["unclear error"]))


if __name__ == "__main__":
    main()
