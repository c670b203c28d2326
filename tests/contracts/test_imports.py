"""The direction of imports: dags, then the plugin, then asms; and no siblings inside asms."""

import ast
import subprocess
import sys
from pathlib import Path

from asms.paths import DAGS_DIR, PLUGINS_DIR, PROJECT_ROOT


def _imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: a DAG file imports no neighbour"
            names.add(node.module or "")
    return names


def test_contracts_of_import_linter_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_dags_import_airflow_and_the_plugin_only() -> None:
    files = sorted(DAGS_DIR.glob("*.py"))
    assert files
    for file in files:
        strangers = {name for name in _imported(file) if name.partition(".")[0] not in ("airflow", "asms_airflow")}
        assert strangers == set(), f"{file.name} imports {strangers}"


def test_airflow_does_not_run_the_plugin_by_its_bare_name() -> None:
    """Airflow executes every module of its plugins folder that ``.airflowignore`` does not name."""
    ignored = (PLUGINS_DIR / ".airflowignore").read_text(encoding="utf-8").split()
    assert "asms_airflow/.*" in ignored
    modules = [file for file in PLUGINS_DIR.rglob("*.py") if file.parent.name != "asms_airflow"]
    assert all(file.name.endswith("_plugin.py") for file in modules)
