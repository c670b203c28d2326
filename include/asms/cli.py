"""``asms …``: the same functions that the DAGs call, for a person at a terminal.

Exit codes everywhere: 0 done or unchanged, 2 a gate closed or a checked return has errors, 3 a source could not be loaded, 1 anything else.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asms.settings import Settings, SettingsError, load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import LockedError, Warehouse, load_lock, open_warehouse
from asms.warehouse.migrate import MigrationError, prepare

if TYPE_CHECKING:
    from asms.offline import Checked

_SEVERITY_UK = {"fatal": "ФАТАЛЬНА", "error": "ПОМИЛКА", "warning": "ПОПЕРЕДЖЕННЯ", "info": "ДО ВІДОМА"}

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """The ASMS warehouse at a terminal. Settings come from the environment (docs/reference/settings.md)."""


@cli.command()
@_json_option
def status(as_json: bool) -> None:
    """Tell the release, its freshness, closed gates, sources and open findings of the last run's database."""
    from asms.warehouse.status import read_status

    found = read_status(_last_warehouse(load_settings()))
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
    else:
        _print_status(found.as_json())
    sys.exit(found.exit_code)


@cli.command()
@_json_option
def rebuild(as_json: bool) -> None:
    """Make everything again from raw: every key of every layer, through every gate, then publish what differs."""
    from asms.rebuild import rebuild as run

    settings = load_settings()
    warehouse = _last_warehouse(settings)
    prepare(warehouse)
    with load_lock(warehouse, settings.lock_timeout_seconds):
        result = run(warehouse, settings)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    elif result.closed_gate:
        click.echo(f"gate {result.closed_gate} is closed: release {result.release_id} keeps serving (see: asms status)")
    else:
        click.echo(f"release {result.release_id} {'published' if result.is_new else 'stands: nothing differs'}")
    sys.exit(2 if result.closed_gate else 0)


@cli.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--last-year", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Last year's return, to compare."
)
@_json_option
def check_workbook(file: Path, last_year: Path | None, as_json: bool) -> None:
    """Check the return in FILE by the warehouse's rules, without a server: 0 clean, 2 errors, 1 it cannot be read."""
    from asms.intake.problem import ProblemError
    from asms.offline import as_json as to_json
    from asms.offline import check_file

    try:
        checked = check_file(file, last_year)
    except ProblemError as problem:
        click.echo(f"{problem.rule_id}: {problem.message_uk} / {problem.message_en}", err=True)
        sys.exit(1)
    click.echo(to_json(checked) if as_json else "\n".join(_breach_lines(checked)))
    sys.exit(0 if checked.is_clean else 2)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open the marts of the last run's database as asms_bi; reads standard input, takes psql's own ARGUMENTS."""
    warehouse = _last_warehouse(load_settings())
    params = warehouse.params("bi")
    environment = {
        **os.environ,  # noqa: TID251 - handed on whole to psql, nothing is read from it
        "PGHOST": params["host"],
        "PGPORT": params["port"],
        "PGDATABASE": params["dbname"],
        "PGUSER": params["user"],
        "PGPASSWORD": params["password"],
        "PGOPTIONS": "-c search_path=marts",
    }
    program = str(embedded.bin_dir() / "psql")
    os.execve(program, [program, "--no-psqlrc", *arguments], environment)  # noqa: S606 - no shell is wanted


@cli.group()
def dbt() -> None:
    """Work on the dbt project."""


@dbt.command()
def parse() -> None:
    """Parse the dbt project with deprecations as errors; needs no database."""
    from asms.warehouse.dbt import parse as run

    run(load_settings().home / "dbt-parse")
    click.echo("dbt: parsed, no deprecations")


@dbt.command()
def docs() -> None:
    """Make the documentation site of the last run's database in ASMS_HOME/dbt-docs."""
    from asms.warehouse.dbt import generate_docs

    settings = load_settings()
    click.echo(f"open {generate_docs(_last_warehouse(settings), settings.home / 'dbt-docs')}")


@cli.group()
def catalogue() -> None:
    """Work on the catalogue of indicators."""


@catalogue.command()
@_json_option
def check(as_json: bool) -> None:
    """Prove the catalogue: counts against the plan, cards, units, formulas, rules, spelling. 0 sound, 1 not."""
    from asms.catalogue import check_catalogue, load_catalogue
    from asms.catalogue.audit import audit_catalogue, count_domains

    found = load_catalogue()
    problems = [*check_catalogue(found), *audit_catalogue(found)]
    counts = count_domains(found)
    if as_json:
        click.echo(json.dumps({"domains": [asdict(c) for c in counts], "problems": problems}, ensure_ascii=False))
    else:
        click.echo("розділ / domain   подано / submitted   за статтю / split   похідні / derived")
        planned = [count for count in counts if count.planned]
        for count in planned:
            click.echo(f"{count.domain_code:14}{count.submitted:22}{count.split:21}{count.derived:20}")
        sums = [sum(column) for column in zip(*(count.found for count in planned), strict=True)]
        click.echo(f"{'разом / total':14}{sums[0]:22}{sums[1]:21}{sums[2]:20}")
        click.echo("\n".join(problems) or "каталог справний / the catalogue is sound")
    sys.exit(1 if problems else 0)


def _breach_lines(checked: "Checked") -> Iterator[str]:
    """A block of lines per breach: place, found, expected, how to mend; then the counts."""
    for breach in checked.breaches:
        place = " ".join(part for part in (breach.file_name, breach.sheet, breach.cell) if part)
        code = " ".join(part for part in (breach.indicator_code, breach.sex) if part)
        yield f"{_SEVERITY_UK[breach.severity]} {place} {code} [{breach.rule_id}]"
        yield f"  {breach.title_uk} / {breach.title_en}"
        expected = f"; очікувалося / expected: {breach.expected}" if breach.expected else ""
        yield f"  знайдено / found: {breach.found if breach.found is not None else '—'}{expected}"
        yield f"  як виправити / how to mend: {breach.remedy_uk} / {breach.remedy_en}"
    counts = {severity: sum(b.severity == severity for b in checked.breaches) for severity in _SEVERITY_UK}
    yield "разом / total: " + ", ".join(f"{_SEVERITY_UK[name].lower()} ({name}) {n}" for name, n in counts.items())
    undecided = sum(n for (_, verdict), n in checked.verdicts.items() if verdict == "no_data")
    yield f"без даних для перевірки / no data to decide: {undecided}"


def _last_warehouse(settings: Settings) -> Warehouse:
    """Database of the last run, the sample's or the real one; the settings' own when nothing has run yet."""
    last: dict[str, Any] = {}
    if settings.last_run_file.exists() and not settings.warehouse_dsn:
        last = json.loads(settings.last_run_file.read_text(encoding="utf-8"))
    return open_warehouse(settings, database=last.get("database"))


def _print_status(found: dict[str, Any]) -> None:
    release, build = found["release"], found["last_build"]
    click.echo(f"database   {found['database']}")
    if release:
        click.echo(f"release    {release['release_id']} of {release['published_at']}, {release['fact_count']} facts")
    else:
        click.echo("release    none yet")
    if build:
        gate = f", gate {build['closed_gate']}" if build["closed_gate"] else ""
        click.echo(f"last build {build['build_id']}: {build['status']}{gate} ({build['reason']})")
    click.echo(f"waiting    {found['loads_waiting']} loads are in no release yet")
    for source in found["sources"]:
        click.echo(f"source     {source['source']}: {'ok' if source['is_ok'] else 'FAILED: ' + str(source['message'])}")
    for gate in found["closed_gates"]:
        click.echo(f"closed     {gate['gate']} {gate['dataset']} {gate['check_id']}: {gate['message_en']}")
    for row in found["open_findings"]:
        click.echo(f"findings   {row['dataset']}: {row['open_count']} {row['severity']}")


def main() -> None:
    """Entry point: errors that people can act on are printed in one line, others keep their traceback."""
    try:
        cli()
    except (SettingsError, LockedError, MigrationError, embedded.EmbeddedServerError) as error:
        click.echo(f"asms: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
