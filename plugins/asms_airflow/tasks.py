"""The tasks: each opens the warehouse, calls one function of ``asms``, logs what it did and returns ids and counts.

Imports of ``asms`` stay inside the functions: a DAG file that imports this module is parsed every half minute.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from asms_airflow.assets import FINDINGS, SOURCES

if TYPE_CHECKING:
    from asms.quality.suites import Gate
    from asms.sources import SourceResult
    from asms.warehouse.connection import Warehouse
    from asms.warehouse.dbt import Layer

_LOG = logging.getLogger(__name__)
_APPROVAL_TIMEOUT = timedelta(hours=12)


class Build(TypedDict):
    """What one task of a build hands to the next."""

    build_id: int
    is_full: bool
    is_needed: bool


class GateClosedError(AirflowFailException):
    """A critical check failed: nothing is published, the last release keeps serving."""


@task
def store_catalogue() -> dict[str, Any]:
    """Store indicators, formulas and rules; a no-op when the files are as stored."""
    from asms.catalogue import store_catalogue as store
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, _):
        stored = store(warehouse)
    _LOG.info("catalogue %s, rules %s", stored.catalogue_version, stored.rule_version)
    return {"catalogue_version": stored.catalogue_version, "changed": stored.changed}


@task
def store_corrections() -> dict[str, int]:
    """Store staff's corrections; a no-op when the file says what it said. Fails, and no build starts, when it cannot be used."""
    from asms.quality.corrections import store_corrections as store
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        stored = store(warehouse, settings.corrections)
    _LOG.info("%d corrections stand, %d changed", stored.active_count, stored.changed_count)
    return {"active_count": stored.active_count, "changed_count": stored.changed_count}


@task
def store_embargoes() -> dict[str, int]:
    """Store the embargoes; a no-op when the file says what it said. Fails, and no build starts, when it cannot be used."""
    from asms.quality.embargoes import store_embargoes as store
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        stored = store(warehouse, settings.embargoes)
    _LOG.info("%d embargoes stand, %d changed", stored.active_count, stored.changed_count)
    return {"active_count": stored.active_count, "changed_count": stored.changed_count}


@task
def land_drop() -> dict[str, int]:
    """Land what lies in the drop and is new there."""
    from asms.intake import land_drop as land
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        source = get_current_context()["params"].get("source")
        landed = land(warehouse, settings.model_copy(update={"drop": source}) if source else settings)
    _LOG.info("landed %d new, %d unchanged", landed.new_count, landed.unchanged_count)
    return {"new_count": landed.new_count, "unchanged_count": landed.unchanged_count}


@task(inlets=[SOURCES["katottg"]], outlets=[SOURCES["submissions"]])
def read_deliveries(landed: dict[str, int]) -> dict[str, int]:
    """Read every landed return that has not been read; skipped, so that no asset event starts a build, when there is none."""
    from dataclasses import asdict

    from asms.geography import Gazetteer
    from asms.intake import read_deliveries as read
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        with warehouse.connect("loader") as connection:
            gazetteer = Gazetteer.from_warehouse(connection)
        force = bool(get_current_context()["params"].get("force"))
        result = read(warehouse, settings, gazetteer.resolve, force=force)
    _LOG.info("%s", result)
    # files that could not be read are tried again each time, so a failure alone is no news
    if not landed["new_count"] and not result.read_count:
        raise AirflowSkipException("no new returns")
    return asdict(result)


@task
def fetch_source(source: str, by_codifier: bool) -> dict[str, Any]:
    """Load one source of open data; skipped, so that no asset event starts a build, when it is not set or has nothing new."""
    from importlib import import_module

    from asms.intake.landing import LandingStore
    from asms.sources import SourceNotSetError
    from asms_airflow.load import open_for_load

    params = dict(get_current_context()["params"])
    fetch: Callable[..., SourceResult] = import_module(f"asms.sources.{source}").fetch
    with open_for_load() as (warehouse, settings):
        if by_codifier:
            params["resolve"] = _resolver(warehouse)
        try:
            result = fetch(warehouse, settings, LandingStore(settings.landing).put, **params)
        except SourceNotSetError as error:
            raise AirflowSkipException(str(error)) from error
    _LOG.info("%s: %s", source, result.message)
    if not result.new_loads:
        raise AirflowSkipException(f"nothing new: {result.message}")
    return {"new_loads": result.new_loads, "unchanged_loads": result.unchanged_loads, "row_count": result.row_count}


def _resolver(warehouse: "Warehouse") -> Callable[[str], Any]:
    """``Gazetteer.resolve`` by the codifier in force, which is read at the first question."""
    from functools import cache

    from asms.geography import Gazetteer

    @cache
    def gazetteer() -> Gazetteer:
        with warehouse.connect("loader") as connection:
            return Gazetteer.from_warehouse(connection)

    return lambda text: gazetteer().resolve(text)


def ingest(source: str, *, by_codifier: bool = False) -> None:
    """All tasks of the DAG of one source: ``fetch`` of its module in ``asms.sources``, with the DAG's params as its keywords.

    ``by_codifier`` is for a module that recognises municipalities itself (its ``fetch`` takes ``resolve``): it waits for КАТОТТГ.
    """
    fetched = fetch_source.override(
        task_id=f"fetch_{source}", outlets=[SOURCES[source]], inlets=[SOURCES["katottg"]] if by_codifier else []
    )
    store_catalogue() >> fetched(source, by_codifier)


@task
def start_build() -> Build:
    """Fix which loads this build publishes and which keys it must redo."""
    from asms.warehouse.build import start_build as start
    from asms_airflow.load import open_for_load

    context = get_current_context()
    with open_for_load() as (warehouse, _):
        build = start(warehouse, context["run_id"], force=bool(context["params"].get("force")))
    _LOG.info("build %d: %s, %d keys to redo", build.build_id, build.reason, build.changed_key_count)
    return Build(build_id=build.build_id, is_full=build.is_full, is_needed=build.is_needed)


@task.short_circuit
def go_on_if_needed(build: Build) -> Build | None:
    """Let the build go on when it has something to do; else the rest is skipped and the last release stands."""
    return build if build["is_needed"] else None


@task
def build_layer(layer: "Layer", build: Build) -> Build:
    """Build one layer of dbt models with their tests."""
    from asms.warehouse.build import check_build
    from asms.warehouse.dbt import build_layer as run
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        check_build(warehouse, build["build_id"])
        result = run(warehouse, layer, build["build_id"], build["is_full"], target_path=settings.home / "dbt")
    _LOG.info("%s: %d nodes in %.1f s, failed: %s", layer, result.ok_count, result.seconds, result.failed_nodes)
    return build


@task(outlets=[FINDINGS])
def apply_rules(build: Build) -> Build:
    """Check the returns by the rules of ``quality.rule`` and write what fails to ``quality.finding``."""
    from asms.quality.rules import apply_rules as run
    from asms.warehouse.build import check_build
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, _):
        check_build(warehouse, build["build_id"])
        counts = run(warehouse, build["build_id"], build["is_full"])
    _LOG.info("findings: %s", counts)
    return build


@task
def apply_register_rule(build: Build) -> Build:
    """Hold the answers against what open registers know and write what differs to ``quality.finding``."""
    from asms.quality.registers import apply_register_rule as run
    from asms.warehouse.build import check_build
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, _):
        check_build(warehouse, build["build_id"])
        verdicts = run(warehouse, build["build_id"], build["is_full"])
    _LOG.info("against registers: %s", verdicts)
    return build


@task(outlets=[FINDINGS])
def apply_peer_rules(build: Build) -> Build:
    """Hold the indicators of each body against those of its peer group and write what is far off to ``quality.finding``."""
    from asms.quality.peers import apply_peer_rules as run
    from asms.warehouse.build import check_build
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, _):
        check_build(warehouse, build["build_id"])
        verdicts = run(warehouse, build["build_id"], build["is_full"])
    _LOG.info("against peers: %s", verdicts)
    return build


@task
def check_gate(gate: "Gate", build: Build) -> Build:
    """Run the suites of one gate. Raises GateClosedError when a critical check of suites or dbt tests failed."""
    from asms.quality.gates import run_gate
    from asms.warehouse.build import check_build, end_build
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, _):
        check_build(warehouse, build["build_id"])
        result = run_gate(warehouse, gate, build["build_id"])
        if not result.passed:
            end_build(warehouse, build["build_id"], "gate_closed", closed_gate=gate)
            raise GateClosedError(f"gate {gate} is closed: {result.critical} critical checks failed")
    _LOG.info("gate %s is open, %s warnings", gate, result.warnings)
    return build


@task
def publish(build: Build) -> dict[str, Any]:
    """Publish what was built as a new release; no new one when nothing differs."""
    from asms.warehouse.release import publish as run
    from asms_airflow.load import open_for_load

    with open_for_load() as (warehouse, settings):
        result = run(warehouse, build["build_id"], settings.home / "dbt" / "manifest.json")
    _LOG.info("release %d %s", result.release_id, "published" if result.is_new else "stands: nothing differs")
    return {"release_id": result.release_id, "is_new": result.is_new}


@task
def hold(build: Build) -> dict[str, Any]:
    """Let the candidate wait for a person, say how much it changes and tell staff by mail; the values are in the log."""
    from asms.notify import NotifyError, send_waiting, tell_candidate
    from asms.warehouse.build import hold_build
    from asms_airflow.load import open_for_load
    from asms_airflow.mail import smtp_sender

    build_id = build["build_id"]
    with open_for_load() as (warehouse, settings):
        hold_build(warehouse, build_id)
        found = tell_candidate(
            warehouse,
            build_id,
            settings.home / "dbt" / "manifest.json",
            in_airflow=settings.approval == "required",
            recipients=settings.recipients,
        )
        try:
            send_waiting(warehouse, settings, smtp_sender())
        except NotifyError as error:  # it waits in the outbox, and so does the candidate
            _LOG.warning("%s", error)
    for value in found.values if found else ():
        _LOG.info("%s", value)
    count = found.value_count if found else None
    _LOG.info("build %d is held: %s figures differ", build_id, count)
    return {"build_id": build_id, "value_count": count}


def publish_as_settled(build: Build) -> Any:
    """The end of a build by ``ASMS_APPROVAL``: publish; or hold the candidate; or hold it, ask a person and publish on their word.

    Nobody's word is a no: the candidate stays held, and the next build supersedes it. Returns the last task that may write.
    """
    from asms.settings import load_settings

    approval = load_settings().approval
    published: Any
    if approval == "none":
        published = publish(build)
        report_release(published)
        return published
    held = hold(build)
    if approval == "required":
        from airflow.providers.standard.operators.hitl import ApprovalOperator

        asked = ApprovalOperator(
            task_id="approve_release",
            subject="Опублікувати збірку / publish build {{ ti.xcom_pull('hold')['build_id'] }}?",
            body=(
                "Змінюється значень / figures that change: **{{ ti.xcom_pull('hold')['value_count'] }}**. "
                "Докладно / in detail: журнал задачі `hold`, `asms release diff`."
            ),
            defaults=ApprovalOperator.REJECT,
            response_timeout=_APPROVAL_TIMEOUT,
            execution_timeout=None,
        )
        published = publish(build)
        held >> asked >> published
        report_release(published)
        return published
    return held


@task
def report_release(published: dict[str, Any]) -> int:
    """Say which release readers see. Last of the build proper: it fails, and the run with it, when a task before it did."""
    release_id = int(published["release_id"])
    _LOG.info("readers see release %d", release_id)
    return release_id


@task
def notify(build: Build | None) -> dict[str, Any]:
    """Tell staff what failed and what warns. Runs however the build ended, also when there is none."""
    from asms.notify import notify as run
    from asms.warehouse.build import end_build
    from asms_airflow.load import open_for_load
    from asms_airflow.mail import smtp_sender

    with open_for_load() as (warehouse, settings):
        if build:  # no task of the build is left to run: if it has no end yet, a task crashed
            end_build(warehouse, build["build_id"], "failed")
        build_id = build["build_id"] if build else None
        result = run(warehouse, settings, build_id, send=smtp_sender(), recipients=settings.recipients)
    _LOG.info("mail: %s", result)
    return {"mail_count": result.mail_count}


@task
def make_feedback() -> dict[str, Any]:
    """Make the reports for senders whose findings changed. Needs no load lock: it writes nothing that a load reads."""
    from dataclasses import asdict

    from asms.feedback import make_feedback as run
    from asms.settings import load_settings
    from asms.warehouse.connection import open_warehouse

    settings = load_settings()
    made = run(open_warehouse(settings), settings)
    _LOG.info("%s; %.0f ms of CPU a report", made, 1000 * made.cpu_seconds / max(made.report_count, 1))
    return asdict(made)


@task(trigger_rule="all_done")
def mail_feedback() -> dict[str, int]:
    """Tell coordinators which reports are ready, also when some could not be made."""
    from asms.notify import send_waiting
    from asms.settings import load_settings
    from asms.warehouse.connection import open_warehouse
    from asms_airflow.mail import smtp_sender

    settings = load_settings()
    count, _ = send_waiting(open_warehouse(settings), settings, smtp_sender())
    _LOG.info("mail: %d sent", count)
    return {"mail_count": count}


@task
def report_feedback(made: dict[str, Any]) -> int:
    """Say how many reports were made. Last of its DAG: it fails, and the run with it, when the making did."""
    _LOG.info("%d reports with %d findings", made["report_count"], made["finding_count"])
    return int(made["report_count"])


@task
def plan_templates() -> list[dict[str, int]]:
    """Cut the municipalities that get a template into chunks: one task each would be more than Airflow maps over."""
    from asms_airflow.templates import plan

    chunks = plan(get_current_context()["params"])
    _LOG.info("%d templates in %d chunks", sum(chunk["count"] for chunk in chunks), len(chunks))
    return chunks


@task
def make_templates(chunk: dict[str, int]) -> dict[str, Any]:
    """Make the templates of one chunk; files that are right already are left alone."""
    from asms_airflow.templates import make

    made = make(get_current_context()["params"], chunk)
    _LOG.info("%s", made)
    return made


@task
def report_templates(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Say how many templates there are now and what they cost."""
    total = {key: sum(one[key] for one in made) for key in ("count", "unchanged_count", "without_last_year_count")}
    seconds = sum(one["cpu_seconds"] for one in made)
    _LOG.info("%s; %.1f s of CPU, %.0f ms each", total, seconds, 1000 * seconds / max(total["count"], 1))
    return {**total, "cpu_seconds": round(seconds, 1)}
