"""``asms …``: the same functions that the DAGs call, for a person at a terminal.

Exit codes everywhere: 0 done or unchanged, 2 a gate closed or a checked return has errors, 3 a source could not be loaded, 1 anything else.
"""

import getpass
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from asms import cli_backup
from asms.cli_explain import explain
from asms.cli_release import release
from asms.cli_submission import submission
from asms.quality.declared import DeclaredError
from asms.settings import SettingsError, load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import LockedError, load_lock, open_last_warehouse
from asms.warehouse.dbt import DbtError
from asms.warehouse.migrate import MigrationError, prepare

if TYPE_CHECKING:
    from asms.offline import Checked

_SEVERITY_UK = {"fatal": "ФАТАЛЬНА", "error": "ПОМИЛКА", "warning": "ПОПЕРЕДЖЕННЯ", "info": "ДО ВІДОМА"}

_TOLD = (SettingsError, LockedError, MigrationError, DbtError, DeclaredError, embedded.EmbeddedServerError)
"""Errors whose message says it all."""

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """The ASMS warehouse at a terminal. Settings come from the environment (docs/reference/settings.md)."""


for _command in (release, explain, submission, cli_backup.backup, cli_backup.restore):
    cli.add_command(_command)


@cli.command()
@_json_option
def status(as_json: bool) -> None:
    """Tell the release, its freshness, closed gates, sources and open findings of the last run's database."""
    from asms.warehouse.status import read_status

    found = read_status(open_last_warehouse(load_settings()))
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
    warehouse = open_last_warehouse(settings)
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
    warehouse = open_last_warehouse(load_settings())
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
    click.echo(f"open {generate_docs(open_last_warehouse(settings), settings.home / 'dbt-docs')}")


@cli.group()
def catalogue() -> None:
    """Work on the catalogue of indicators."""


@catalogue.command()
@click.option(
    "--classifications",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of kdb*, tkpkmb* and kekv* files (.csv, .json) that the budget codes of the cards are looked up in.",
)
@_json_option
def check(classifications: Path | None, as_json: bool) -> None:
    """Prove the catalogue: counts against the plan, cards, units, formulas, rules, spelling, budget codes. 0 sound, 1 not."""
    from asms.catalogue import CatalogueError, check_catalogue, load_catalogue
    from asms.catalogue.audit import audit_catalogue, count_domains
    from asms.catalogue.classifications import missing_codes, read_classifications

    found = load_catalogue()
    problems = [*check_catalogue(found), *audit_catalogue(found)]
    if classifications:
        try:
            problems += missing_codes(found, read_classifications(classifications))
        except CatalogueError as error:
            problems.append(str(error))
    counts = count_domains(found)
    if as_json:
        told = {
            "domains": [asdict(c) for c in counts],
            "problems": problems,
            "are_codes_checked": bool(classifications),
        }
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        click.echo("розділ / domain   подано / submitted   за статтю / split   похідні / derived")
        planned = [count for count in counts if count.planned]
        for count in planned:
            click.echo(f"{count.domain_code:14}{count.submitted:22}{count.split:21}{count.derived:20}")
        sums = [sum(column) for column in zip(*(count.found for count in planned), strict=True)]
        click.echo(f"{'разом / total':14}{sums[0]:22}{sums[1]:21}{sums[2]:20}")
        if not classifications:
            click.echo(
                "коди бюджетної класифікації не перевірено: вкажіть --classifications / "
                "budget codes were not checked: give --classifications"
            )
        click.echo("\n".join(problems) or "каталог справний / the catalogue is sound")
    sys.exit(1 if problems else 0)


@cli.command()
@click.option(
    "--municipality", "municipalities", multiple=True, required=True, help="КАТОТТГ code of a hromada; repeat."
)
@click.option("--year", type=click.IntRange(2011, 2035), required=True, help="Year that the return is for.")
@click.option("--domain", "domains", multiple=True, help="Only this domain, EDU for instance; repeat.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder, or the .xlsx to write [ASMS_HOME/templates/YEAR]."
)
@_json_option
def template(
    municipalities: tuple[str, ...], year: int, domains: tuple[str, ...], out: Path | None, as_json: bool
) -> None:
    """Make the annual return's template for one or more hromadas, with last year's values beside.

    Last year's values are those published in the last run's database; without one the columns stay blank.
    """
    from asms import returns
    from asms.catalogue import load_catalogue

    settings, found = load_settings(), load_catalogue()
    questions = returns.list_questions(found, year)
    if unknown := sorted(set(domains) - {row.domain_code for row in questions}):
        raise click.ClickException(f"the form of {year} has no domain {', '.join(unknown)}")
    questions = [row for row in questions if not domains or row.domain_code in domains]
    bodies: tuple[returns.Body, ...] = ()
    past: dict[str, returns.Past] = {}
    registers: dict[str, Mapping[tuple[str, str], float]] = {}
    if settings.warehouse_dsn or settings.last_run_file.exists():
        with open_last_warehouse(settings).connect("bi") as connection:
            bodies = returns.read_bodies(connection)
            past = returns.read_past(connection, questions, year - 1, municipalities)
            registers = returns.read_registers(connection, questions, year, municipalities)
    try:
        chosen = returns.choose_bodies(bodies or returns.packaged_bodies(), municipalities)
    except returns.UnknownMunicipalityError as error:
        raise click.ClickException(str(error)) from error
    is_file = out is not None and out.suffix.lower() == ".xlsx"
    if is_file and len(chosen) > 1:
        raise click.ClickException("several templates need a folder: --out names a file")
    folder = out.parent if out and is_file else out or returns.template_folder(settings.home, year)
    made = returns.make_templates(folder, chosen, questions, year, found.catalogue_version, past, registers)
    paths = [made.paths[0].replace(out)] if out and is_file else list(made.paths)
    if as_json:
        click.echo(
            json.dumps(
                {"paths": [str(path) for path in paths], "unchanged_count": made.unchanged_count,
                 "without_last_year_count": made.bare_count}, ensure_ascii=False,
            )
        )  # fmt: skip
        return
    for path in paths:
        click.echo(str(path))
    if made.bare_count:
        reason = f"the release has none for {year - 1}" if bodies else "there is no database with a release"
        click.echo(f"{made.bare_count} of {len(paths)} without last year's values: {reason}", err=True)


@cli.group()
def form() -> None:
    """Describe the annual form of a year, and what changes from year to year."""


_format_option = click.option(
    "--format", "kind", type=click.Choice(["md", "yaml", "json"]), default="md", show_default=True
)
_out_option = click.option("--out", type=click.Path(path_type=Path), help="File to write in place of the terminal.")


@form.command()
@click.option("--year", type=click.IntRange(2011, 2035), required=True, help="Year that the form is for.")
@_format_option
@_out_option
@_json_option
def describe(year: int, kind: str, out: Path | None, as_json: bool) -> None:
    """Describe every question of the form: unit, answer, definition, checks."""
    from asms.catalogue import description, load_catalogue
    from asms.intake.template import COLLECTION_CODE

    found = description.describe_form(load_catalogue(), COLLECTION_CODE, year)
    _put_out(description.form_as_markdown(found), description.as_data(found), "json" if as_json else kind, out)


@form.command()
@click.argument("before", type=click.IntRange(2011, 2035))
@click.argument("after", type=click.IntRange(2011, 2035))
@_format_option
@_out_option
@_json_option
def changes(before: int, after: int, kind: str, out: Path | None, as_json: bool) -> None:
    """Tell the codes added, gone and changed between the forms of two years."""
    from asms.catalogue import description, load_catalogue
    from asms.intake.template import COLLECTION_CODE

    found = description.list_changes(load_catalogue(), COLLECTION_CODE, before, after)
    _put_out(description.changes_as_markdown(found), description.as_data(found), "json" if as_json else kind, out)


def _put_out(markdown: str, data: dict[str, Any], kind: str, out: Path | None) -> None:
    """Print or write a description in the format asked for."""
    if kind == "md":
        text = markdown
    elif kind == "yaml":
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)
    else:
        text = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        click.echo(str(out))


@cli.command()
@_json_option
def feedback(as_json: bool) -> None:
    """Make the reports for senders whose findings changed, in ASMS_HOME/feedback, and put the mails into the outbox."""
    from asms.feedback import make_feedback
    from asms.notify import send_waiting

    settings = load_settings()
    warehouse = open_last_warehouse(settings)
    made = make_feedback(warehouse, settings)
    send_waiting(warehouse, settings)
    if as_json:
        click.echo(json.dumps(asdict(made), ensure_ascii=False))
    else:
        click.echo(
            f"{made.report_count} reports with {made.finding_count} findings, {made.mail_count} mails, "
            f"{made.unaddressed_count} without a coordinator"
        )


_by_option = click.option("--by", default=getpass.getuser, show_default="your login", help="Who decides.")


@cli.group()
def explanation() -> None:
    """Decide about what senders explained: an accepted explanation silences the warning while its value stands."""


@explanation.command("list")
@click.option("--status", type=click.Choice(["offered", "accepted", "refused"]), help="Only these.")
@click.option("--municipality", help="Only of this КАТОТТГ code.")
@_json_option
def list_explanations(status: Any, municipality: str | None, as_json: bool) -> None:
    """List explanations in the order in which they came."""
    from asms.quality.decisions import list_explanations as find

    rows = find(open_last_warehouse(load_settings()), status, municipality)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, default=str, indent=1))
        return
    for row in rows:
        place = " ".join(filter(None, (row.municipality_code, row.time_period, row.indicator_code, row.sex)))
        click.echo(f"{row.explanation_id}  {row.status}  {row.rule_id}  {place}  = {row.value_found}\n    {row.text}")


@explanation.command()
@click.argument("explanation_id")
@_by_option
@_json_option
def accept(explanation_id: str, by: str, as_json: bool) -> None:
    """Accept an explanation: its warning is silent until another value comes."""
    _decide(explanation_id, "accepted", by, as_json)


@explanation.command()
@click.argument("explanation_id")
@_by_option
@_json_option
def refuse(explanation_id: str, by: str, as_json: bool) -> None:
    """Refuse an explanation: its warning stands, or comes again with the next build."""
    _decide(explanation_id, "refused", by, as_json)


def _decide(explanation_id: str, status: Any, by: str, as_json: bool) -> None:
    from asms.quality.decisions import DecisionError, decide_explanation

    try:
        changed = decide_explanation(open_last_warehouse(load_settings()), explanation_id, status, by)
    except DecisionError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"explanation_id": explanation_id, "status": status, "changed": changed}))
    else:
        click.echo(f"{explanation_id} is {status}" + ("" if changed else " already"))


@cli.group()
def finding() -> None:
    """Look at open findings, and let a fatal one that nobody can mend in time stop no release."""


@finding.command("list")
@click.option("--severity", type=click.Choice(["fatal", "error", "warning", "info"]), help="Only these.")
@click.option("--municipality", help="Only of this КАТОТТГ code.")
@_json_option
def list_findings(severity: str | None, municipality: str | None, as_json: bool) -> None:
    """List open findings, the most severe first."""
    from asms.quality.decisions import list_findings as find

    rows = find(open_last_warehouse(load_settings()), severity, municipality)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1))
        return
    for row in rows:
        place = " ".join(
            filter(
                None,
                (
                    row.municipality_code,
                    row.time_period,
                    row.indicator_code,
                    row.sex,
                    row.file_name,
                    row.sheet,
                    row.cell,
                ),
            )
        )
        click.echo(f"{row.finding_id}  {row.severity}  {row.rule_id}  {place}\n    {row.message_uk}")


@finding.command()
@click.argument("finding_id")
@click.option("--reason", required=True, help="Why, for those who come after you.")
@click.option("--value-stands", is_flag=True, help="The value is right: publish it. Without this it is rejected (M_Q).")
@_by_option
@_json_option
def waive(finding_id: str, reason: str, value_stands: bool, by: str, as_json: bool) -> None:
    """Let a fatal finding stop no release while its value stands; recorded with reason, name and time."""
    _waive(finding_id, ("silence" if value_stands else "reject", reason, by), as_json)


@finding.command()
@click.argument("finding_id")
@click.option("--reason", required=True, help="Why, for those who come after you.")
@_by_option
@_json_option
def restore(finding_id: str, reason: str, by: str, as_json: bool) -> None:
    """Take a waiver back: the next build finds the finding again."""
    _waive(finding_id, ("none", reason, by), as_json)


def _waive(finding_id: str, decision: tuple[Any, str, str], as_json: bool) -> None:
    from asms.quality.decisions import DecisionError, waive_finding

    try:
        waive_finding(open_last_warehouse(load_settings()), finding_id, *decision)
    except DecisionError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"finding_id": finding_id, "effect": decision[0]}))
    else:
        click.echo(f"{finding_id}: {decision[0]}; the next build goes by it (make nightly)")


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
    except _TOLD as error:
        click.echo(f"asms: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
