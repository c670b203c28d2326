"""``asms backup`` and ``asms restore``."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from asms.settings import load_settings
from asms.warehouse.connection import load_lock, open_last_warehouse

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_json_option
def backup(folder: Path, as_json: bool) -> None:
    """Write the last run's database and the landing store into FOLDER, a new one. Waits for a running load."""
    from asms.backup import BackupError, back_up

    settings = load_settings()
    warehouse = open_last_warehouse(settings)
    try:
        with load_lock(warehouse, settings.lock_timeout_seconds):
            made = back_up(warehouse, settings, folder)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        json.dumps(asdict(made))
        if as_json
        else f"{folder}: release {made.release_id}, {made.table_count} tables, {made.file_count} files"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--database", help="Database to make [the one that the settings name]; it must not exist.")
@_json_option
def restore(folder: Path, database: str | None, as_json: bool) -> None:
    """Make a database and the landing store from the backup in FOLDER, and compare the rows with it."""
    from asms.backup import BackupError
    from asms.backup import restore as run
    from asms.warehouse.connection import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    if database:
        warehouse = replace(warehouse, database=database)
    try:
        made = run(warehouse, settings, folder)
    except BackupError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        json.dumps({**asdict(made), "restored_to": warehouse.database})
        if as_json
        else f"database {warehouse.database}: release {made.release_id}, {made.table_count} tables, equal to the backup"
    )
