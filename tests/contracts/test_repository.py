"""The repository itself: a lock without addresses, named verbs, settings that are documented."""

import re
import subprocess

from asms.paths import PROJECT_ROOT

_VERBS = {"help", "setup", "nightly", "test", "lint", "up", "down", "psql", "bench", "docs", "clean"}


def _read(name: str) -> str:
    return (PROJECT_ROOT / name).read_text(encoding="utf-8")


def test_the_lock_is_hashed_and_names_no_registry() -> None:
    lock = _read("requirements.lock")
    assert "://" not in lock
    assert "index-url" not in lock
    packages = re.findall(r"^[a-z0-9][\w.\-\[\]]*==", lock, flags=re.MULTILINE)
    assert len(packages) > 100
    assert lock.count("--hash=sha256:") >= len(packages)


def test_every_verb_explains_itself() -> None:
    done = subprocess.run(["make", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    listed = dict(line.split(maxsplit=2)[1:] for line in done.stdout.splitlines() if line.startswith("  make "))
    assert listed.keys() == _VERBS
    assert all(listed.values())


def test_every_setting_is_documented() -> None:
    documented = _read("docs/reference/settings.md")
    used = set(re.findall(r"ASMS_[A-Z_]+", _read("include/asms/settings.py")))
    assert len(used) > 8
    assert {name for name in used if f"`{name}`" not in documented} == set()


def test_adrs_are_numbered_without_gaps() -> None:
    numbers = sorted(int(file.name[:4]) for file in (PROJECT_ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
