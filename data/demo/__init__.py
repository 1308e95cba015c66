"""Invented institutions of known kind, desk readings of public texts, and what puts them in a store."""

from data.demo.load import load_demo, load_example
from data.demo.profiles import Expectation, Profile, Simulated, profiles, simulate

__all__ = [
    "Expectation",
    "Profile",
    "Simulated",
    "load_demo",
    "load_example",
    "profiles",
    "simulate",
]
