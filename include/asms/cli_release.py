"""``asms release …``: list, show, compare, publish, take back and prune releases."""

import getpass
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from asms.settings import Settings, load_settings
from asms.warehouse.connection import Warehouse, load_lock, open_last_warehouse

if TYPE_CHECKING:
    from asms.warehouse.difference import Difference

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_limit_option = click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="How many values to list."
)
_KIND_SIGNS = {"new": "+", "gone": "−", "changed": "~"}


@click.group()
def release() -> None:
    """Look at releases, compare them, publish a held one, take one back, prune old ones."""


@release.command("list")
@_json_option
def list_all(as_json: bool) -> None:
    """List the releases, the newest first; * marks the one that readers see."""
    from asms.warehouse.retention import list_releases

    rows = list_releases(_open(load_settings()))
    if as_json:
        _put_json([asdict(row) for row in rows])
        return
    for row in rows:
        mark = "*" if row.is_current else " "
        state = "pruned" if row.is_pruned else f"+{row.inserted_count} −{row.ended_count} rows"
        click.echo(
            f"{mark}{row.release_id:>5}  {row.published_at:%Y-%m-%d %H:%M}  {row.fact_count:>10,} facts  {state}"
        )
        click.echo(f"        {row.what_changed}" + (f"; {row.note}" if row.note else ""))
        if row.errata:
            click.echo(f"        errata: {row.errata}")


@release.command()
@click.argument("release_id", type=int)
@_json_option
def show(release_id: int, as_json: bool) -> None:
    """Show the manifest of a release: hashes and rows of every mart, catalogue, code, sources, errata."""
    from asms.warehouse.release import PublishError
    from asms.warehouse.retention import read_manifest

    try:
        found = read_manifest(_open(load_settings()), release_id)
    except PublishError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _put_json(found)
        return
    for name in (
        "release_id",
        "published_at",
        "is_current",
        "is_pruned",
        "catalogue_version",
        "code_version",
        "note",
        "errata",
    ):
        click.echo(f"{name:<18} {found[name] if found[name] is not None else '—'}")
    click.echo(f"{'manifest_hash':<18} {found['manifest_hash'] or '— (from a version that kept no manifests)'}")
    for name, table in found["tables"].items():
        click.echo(f"  {name:<30} {table['row_count']:>12,} rows  {table['content_hash']}")
    for held in found.get("embargoes", []):
        click.echo(f"  embargo {held['code']} {held['time_period']} until {held['embargo_until']}: {held['reason']}")
    for name, source in found["sources"].items():
        click.echo(
            f"  {name:<30} {source['load_count']:>12,} loads {source['loads_hash']}  {source['latest_path'] or ''}"
        )


@release.command()
@click.argument("before", type=int, required=False)
@click.argument("after", type=int, required=False)
@_limit_option
@_json_option
def diff(before: int | None, after: int | None, limit: int, as_json: bool) -> None:
    """Tell what release AFTER shows otherwise than BEFORE: by mart, indicator and value, and why.

    Without numbers: the held candidate against the current release. With one: that release against the current one.
    """
    from asms.warehouse.difference import compare_candidate, compare_releases
    from asms.warehouse.release import PublishError

    settings = load_settings()
    warehouse, manifest = _open(settings), settings.home / "dbt" / "manifest.json"
    try:
        if before is None:
            found = compare_candidate(warehouse, manifest, limit=limit)
        else:
            with warehouse.connect("gate") as connection:
                row = connection.execute("select release_id from ops.current_release").fetchone()
            current = int(row[0]) if row else before
            found = compare_releases(warehouse, manifest, before, after or current, limit=limit)
    except PublishError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _put_json(asdict(found))
    else:
        click.echo("\n".join(_difference_lines(found)))


@release.command()
@click.option("--hold", is_flag=True, help="Build the candidate through every gate and let it wait; publish nothing.")
@click.option("--note", help="Why this release, for those who come after you.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_limit_option
@_json_option
def publish(hold: bool, note: str | None, yes: bool, limit: int, as_json: bool) -> None:
    """Publish the held candidate after showing what it changes. --hold makes one: 2 when a gate closes."""
    settings = load_settings()
    warehouse = _open(settings)
    with load_lock(warehouse, settings.lock_timeout_seconds):
        told = (
            _hold(warehouse, settings)
            if hold
            else _publish_held(warehouse, settings, note, limit, is_sure=yes or as_json)
        )
    if as_json:
        _put_json(told)
    else:
        click.echo(told["message"])
    sys.exit(told["exit_code"])


@release.command()
@click.argument("release_id", type=int)
@_json_option
def rollback(release_id: int, as_json: bool) -> None:
    """Let readers see RELEASE_ID again, at once. The next release is still numbered after the highest."""
    from asms.warehouse.release import PublishError, rollback_to

    try:
        rollback_to(_open(load_settings()), release_id)
    except PublishError as error:
        raise click.ClickException(str(error)) from error
    _put_json({"release_id": release_id}) if as_json else click.echo(f"readers see release {release_id}")


@release.command()
@click.argument("release_id", type=int)
@click.argument("text")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who says so.")
@_json_option
def erratum(release_id: int, text: str, by: str, as_json: bool) -> None:
    """Write down what was found wrong in a release; dim_release shows it, and it keeps the release from being pruned."""
    from asms.warehouse.release import PublishError
    from asms.warehouse.retention import note_erratum

    try:
        number = note_erratum(_open(load_settings()), release_id, text, by)
    except PublishError as error:
        raise click.ClickException(str(error)) from error
    told = {"release_id": release_id, "erratum_no": number}
    _put_json(told) if as_json else click.echo(f"erratum {number} of release {release_id}")


@release.command()
@click.option("--keep", type=click.IntRange(1), default=90, show_default=True, help="How many of the newest to keep.")
@click.option("--trial", is_flag=True, help="Only tell which would go.")
@_json_option
def prune(keep: int, trial: bool, as_json: bool) -> None:
    """Remove the rows of old releases; raw and manifests stay.

    Kept are the newest, the last of each month, the current one and those with a note or an erratum.
    """
    from asms.warehouse.retention import prune_releases

    done = prune_releases(_open(load_settings()), keep=keep, is_trial=trial)
    if as_json:
        _put_json(asdict(done))
        return
    names = ", ".join(map(str, done.release_ids)) or "none"
    click.echo(f"{'would prune' if trial else 'pruned'}: {names}; {sum(done.row_counts.values()):,} rows removed")


def _open(settings: Settings) -> Warehouse:
    """The database of the last run, with its schema as this version wants it."""
    from asms.warehouse.migrate import prepare

    warehouse = open_last_warehouse(settings)
    prepare(warehouse)
    return warehouse


def _hold(warehouse: Warehouse, settings: Settings) -> dict[str, Any]:
    from asms.notify import tell_candidate
    from asms.rebuild import rebuild

    result = rebuild(warehouse, settings, force=False, hold=True)
    told = {**asdict(result), "exit_code": 2 if result.closed_gate else 0}
    if result.closed_gate:
        return {**told, "message": f"gate {result.closed_gate} is closed: release {result.release_id} keeps serving"}
    if result.held_build is None:
        return {**told, "message": f"release {result.release_id} stands: nothing new"}
    manifest = settings.home / "dbt" / "manifest.json"
    tell_candidate(warehouse, result.held_build, manifest, in_airflow=False, recipients=settings.recipients)
    return {**told, "message": f"build {result.held_build} is held: see asms release diff, then asms release publish"}


def _publish_held(
    warehouse: Warehouse, settings: Settings, note: str | None, limit: int, *, is_sure: bool
) -> dict[str, Any]:
    from asms.warehouse.build import SupersededError, check_build, held_build
    from asms.warehouse.difference import compare_candidate
    from asms.warehouse.release import NoReleaseError, PublishError
    from asms.warehouse.release import publish as run

    manifest = settings.home / "dbt" / "manifest.json"
    build_id = held_build(warehouse)
    if build_id is None:
        raise click.ClickException("no candidate is held: make one with asms release publish --hold")
    try:
        check_build(warehouse, build_id)
        if not is_sure:
            try:
                click.echo("\n".join(_difference_lines(compare_candidate(warehouse, manifest, limit=limit))))
            except NoReleaseError as error:
                click.echo(str(error))  # the first release has nothing to be compared with
            if not click.confirm(f"publish build {build_id}?"):
                return {"message": f"build {build_id} is still held", "exit_code": 0}
        result = run(warehouse, build_id, manifest, note=note)
    except (PublishError, SupersededError) as error:
        raise click.ClickException(str(error)) from error
    outcome = "published" if result.is_new else "stands: nothing differs"
    return {
        "release_id": result.release_id,
        "is_new": result.is_new,
        "message": f"release {result.release_id} {outcome}",
        "exit_code": 0,
    }


def _difference_lines(found: "Difference") -> Iterator[str]:
    target = "the held candidate" if found.to_release is None else f"release {found.to_release}"
    yield f"{target} against release {found.from_release}: {found.value_count:,} figures differ"
    for table in found.tables:
        yield f"  {table.table_name:<30} +{table.new_count:,} −{table.gone_count:,} ~{table.changed_count:,} rows"
    for row in found.indicators[:20]:
        by = f"  Σ {row.sum_difference:+,.6g}" if row.sum_difference is not None else ""
        yield (
            f"  {row.indicator_code:<12} +{row.new_count:,} −{row.gone_count:,} ~{row.changed_count:,} "
            f"in {row.municipality_count:,} units, by {row.cause}{by}"
        )
    for value in found.values:
        old = _figure(value.old_value, value.old_status)
        new = _figure(value.new_value, value.new_status)
        why = f"{value.cause}: {value.cause_detail}" if value.cause_detail else value.cause
        sign = _KIND_SIGNS[value.kind]
        place = f"{value.municipality_code} {value.indicator_code} {value.time_period} {value.sex}"
        yield f"  {sign} {place}: {old} → {new} ({why})"


def _figure(value: float | None, status: str | None) -> str:
    return f"{value:,.10g}" if value is not None else "hidden (C)" if status == "C" else status or "—"


def _put_json(content: Any) -> None:
    click.echo(json.dumps(content, ensure_ascii=False, indent=1, default=str))
