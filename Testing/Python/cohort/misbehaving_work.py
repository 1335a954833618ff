"""Work that worker processes import: well-behaved, raising, hanging, dying and greedy cases."""

import ctypes
import gc
import multiprocessing.connection
import os
import signal
import time

import numpy as np

from MedImageAnalysisLib.cohort.work import analyze_case
from MedImageAnalysisLib.errors import UnreadableImageError


def behave(item):
    """Do what the item says; return its length otherwise."""
    if item.startswith("refuse"):
        raise UnreadableImageError("The file is empty. Export it again.")
    if item.startswith("raise"):
        raise ValueError("Doe^John")
    if item.startswith("hang"):
        time.sleep(600)
    if item.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if item.startswith("exit"):
        os._exit(int(item[-1]))
    if item.startswith("crash"):
        ctypes.string_at(0)
    if item.startswith("slow"):
        time.sleep(0.5)
    if item in ODD:
        return ODD[item]()
    if item.startswith("eat"):
        return len(bytearray(8 * 2**30))
    time.sleep(0.02)
    return len(item)


def threads_that_numpy_takes():
    """Return how many threads this process has after a product of large matrices, beside the two of our own."""
    large = np.ones((800, 800))
    large @ large
    return len(os.listdir("/proc/self/task")) - 2


def die_in_the_middle_of_a_message():
    """Announce an answer of 1000 bytes, send three of them, and die."""
    (pipe,) = (found for found in gc.get_objects() if isinstance(found, multiprocessing.connection.Connection))
    os.write(pipe.fileno(), (1000).to_bytes(4, "big") + b"abc")
    os.kill(os.getpid(), signal.SIGKILL)


def analyze_or_misbehave(task):
    """Analyze a case of a cohort, unless the name of its file says otherwise."""
    name = task.case.files[0].name
    if name.startswith(("hang", "kill", "eat", "raise")):
        return behave(name)
    time.sleep(float(os.environ.get("SECONDS_PER_CASE", "0")))
    return analyze_case(task)


ODD = {"partial": die_in_the_middle_of_a_message, "threads": threads_that_numpy_takes}
