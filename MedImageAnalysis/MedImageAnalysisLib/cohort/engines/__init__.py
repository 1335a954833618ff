"""Engines: existing ways to spread work over processes and machines, behind one narrow interface."""

from .engine import Engine, Outcome

__all__ = ["Engine", "Outcome"]
