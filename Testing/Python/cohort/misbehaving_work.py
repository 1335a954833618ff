"""Work that worker processes import: well-behaved, raising, hanging, dying and greedy cases."""

import os
import signal
import time

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
    if item.startswith("eat"):
        return len(bytearray(8 * 2**30))
    time.sleep(0.02)
    return len(item)


def analyze_or_misbehave(task):
    """Analyze a case of a cohort, unless the name of its file says otherwise."""
    name = task.case.files[0].name
    if name.startswith(("hang", "kill", "eat", "raise")):
        return behave(name)
    time.sleep(float(os.environ.get("SECONDS_PER_CASE", "0")))
    return analyze_case(task)
