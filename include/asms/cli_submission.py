"""``asms submission …``: what staff do about returns that have arrived."""

import getpass
import json
from dataclasses import asdict

import click

from asms.settings import load_settings
from asms.warehouse.connection import open_last_warehouse


@click.group()
def submission() -> None:
    """Work on returns that have arrived."""


@submission.command()
@click.argument("municipality_code")
@click.option("--year", type=click.IntRange(2011, 2035), required=True, help="Year that the return is for.")
@click.option("--collection", "collection_code", default="ASMS", show_default=True, help="Code of the collection.")
@click.option("--reason", required=True, help="Why: the coordinator and readers of the marts see it.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who withdraws.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def withdraw(municipality_code: str, year: int, collection_code: str, reason: str, by: str, as_json: bool) -> None:
    """Withdraw what a municipality has sent for a year: the next build goes by it; a return sent later counts again."""
    from asms.geography import Gazetteer
    from asms.intake.withdrawal import WithdrawalError, withdraw_return
    from asms.notify.feedback import load_coordinators
    from asms.notify.withdrawal import WithdrawnReturn, queue_withdrawal

    settings = load_settings()
    warehouse = open_last_warehouse(settings)
    coordinators = load_coordinators(settings.coordinators, is_sample=warehouse.is_sample)
    try:
        done = withdraw_return(
            warehouse, settings, municipality_code, str(year), reason=reason, by=by, collection_code=collection_code
        )
    except WithdrawalError as error:
        raise click.ClickException(str(error)) from error
    # told by the same command also when it was killed before: the outbox takes each withdrawal once
    with warehouse.connect("gate") as connection:
        candidates = Gazetteer.from_warehouse(connection).resolve(municipality_code).candidates
        name = candidates[0].label.removesuffix(f" ({municipality_code})") if candidates else ""
        told = WithdrawnReturn(done.delivery_id, municipality_code, name, done.time_period, done.reason)
        addresses = coordinators.get(municipality_code, ())
        mails = queue_withdrawal(connection, told, addresses, is_sample=warehouse.is_sample)
    if as_json:
        click.echo(json.dumps({**asdict(done), "mail_count": mails}, ensure_ascii=False))
        return
    state = "withdrawn; the next build goes by it (make nightly)" if done.is_new else "withdrawn already"
    click.echo(
        f"{municipality_code} {done.time_period} is {state}: {done.reason} ({done.withdrawn_by}); mails: {mails}"
    )
    if not addresses:
        click.echo("no coordinator of it is known, so nobody was told (ASMS_COORDINATORS)", err=True)
