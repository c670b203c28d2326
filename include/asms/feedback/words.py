"""The words of ``words.yaml``, as pairs and as text in both languages."""

import importlib.resources
from functools import cache
from typing import Any

import yaml


@cache
def words() -> dict[str, Any]:
    """All words: name to ``{uk, en}``, or name and key to it."""
    source = importlib.resources.files("asms.feedback").joinpath("words.yaml")
    found: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    return found


def both(name: str, key: str | None = None, between: str = "\n") -> str:
    """A word in Ukrainian and then in English."""
    entry = words()[name] if key is None else words()[name][key]
    return f"{entry['uk']}{between}{entry['en']}"
