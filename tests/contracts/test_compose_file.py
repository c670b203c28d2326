"""docker-compose.yml without a docker engine: its schema, its secrets, its health checks."""

import importlib.resources
import json
import re
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from asms.paths import PROJECT_ROOT
from asms.settings import OPEN_SOURCES

ONE_SHOT = {"migrate"}
AIRFLOW_SERVICES = {"api-server", "scheduler", "dag-processor", "triggerer"}
_SECRET_NAME = re.compile(r"password|secret|_key$|fernet|token", re.IGNORECASE)
# a value that compose takes from .env, and refuses to start without
_REQUIRED_VARIABLE = re.compile(r"^\$\{[A-Z_]+:\?[^}]*\}$")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def _environment(service: dict[str, Any]) -> dict[str, str]:
    environment = service.get("environment", {})
    assert isinstance(environment, dict)
    return environment


def test_it_keeps_to_the_compose_schema(compose: dict[str, Any]) -> None:
    vendor = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendor.read_text(encoding="utf-8"))
    validator = validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    assert list(validator.iter_errors({**compose, "services": {"broken": {"imagine": "x"}}})), (
        "the schema checks nothing"
    )


def test_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == AIRFLOW_SERVICES | ONE_SHOT | {"postgres", "mailpit"}
    assert compose["services"]["postgres"]["image"].startswith("postgres:18")


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    secrets = 0
    for name, service in compose["services"].items():
        for key, value in _environment(service).items():
            for secret in re.findall(r"password=(\S+(?: [^}=]*\})?)", str(value)):
                secrets += 1
                assert _REQUIRED_VARIABLE.match(secret), f"{name}: {key}"
            if _SECRET_NAME.search(key):
                secrets += 1
                assert _REQUIRED_VARIABLE.match(str(value)), f"{name}: {key}"
            assert not re.search(r"://[^/\s:]+:[^@\s$]+@", str(value)), f"{name}: {key} holds a password in a URL"
    assert secrets >= 1 + len(AIRFLOW_SERVICES)


def test_every_service_is_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name in ONE_SHOT:
            assert service["restart"] == "no"
            assert "healthcheck" not in service
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped", name


def test_airflow_services_share_one_image_and_one_environment(compose: dict[str, Any]) -> None:
    services = [compose["services"][name] for name in sorted(AIRFLOW_SERVICES | ONE_SHOT)]
    assert {service["image"] for service in services} == {"asms-warehouse:latest"}
    assert all(service["environment"] == services[0]["environment"] for service in services)
    for name in AIRFLOW_SERVICES:
        assert compose["services"][name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_settings_named_are_settings(compose: dict[str, Any]) -> None:
    """A variable that nothing reads is a setting that somebody believes in."""
    read = set(re.findall(r'"(ASMS_[A-Z_]+)"', (PROJECT_ROOT / "include/asms/settings.py").read_text(encoding="utf-8")))
    read |= {f"ASMS_{source.upper()}_{what}" for source in OPEN_SOURCES for what in ("URL", "SCHEDULE")}
    named = {key for key in compose["x-environment"] if key.startswith("ASMS_")}
    assert named
    assert named <= read


def test_volumes_are_named_and_ports_are_local(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_nothing_runs_as_root(compose: dict[str, Any]) -> None:
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in dockerfile if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")
    for name, service in compose["services"].items():
        if service["image"] != "asms-warehouse:latest":
            assert service["user"].partition(":")[0] not in ("root", "0"), name


def test_image_holds_no_data_and_no_passwords() -> None:
    ignored = (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in ignored
    assert not {"!var", "!.env", "!.git", "!.venv"} & set(ignored)
