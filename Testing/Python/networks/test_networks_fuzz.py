"""A short search for files that crash or hang the check or the runtime; fuzz_networks.py makes long ones."""

import re
import subprocess
import sys
from pathlib import Path

SEARCH = Path(__file__).with_name("fuzz_networks.py")


def test_mutated_networks_give_a_clear_error_or_a_result():
    """In a process of its own: a crash of the runtime must not take the tests with it."""
    command = [sys.executable, str(SEARCH), "--trials", "300", "--seed", "20240501"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {name: int(count) for count, name in re.findall(r"^ *(\d+) (.+)$", done.stdout, re.MULTILINE)}
    assert counts["refused by the check"] > 150
    assert counts["ran"] > 20
    assert sum(counts.values()) == 300
