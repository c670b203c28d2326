"""``asms explain``: where one figure comes from."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from asms.settings import load_settings
from asms.warehouse.connection import open_last_warehouse


@click.command()
@click.argument("municipality_code")
@click.argument("indicator_code")
@click.argument("time_period")
@click.option("--sex", type=click.Choice(["T", "F", "M"]), default="T", show_default=True)
@click.option("--release", "release_id", type=int, help="As this release shows it [the current one].")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def explain(
    municipality_code: str,
    indicator_code: str,
    time_period: str,
    sex: str,
    release_id: int | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Tell where a published figure comes from: formula, inputs, files, cells, rules, explanations, releases."""
    from asms.explain import ExplainError, draw_tree, explain_value, write_page
    from asms.warehouse.release import PublishError

    try:
        found = explain_value(
            open_last_warehouse(load_settings()), municipality_code, indicator_code, time_period, sex, release_id
        )
    except (ExplainError, PublishError) as error:
        raise click.ClickException(str(error)) from error
    if html:
        html.write_text(write_page(found), encoding="utf-8")
    click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1, default=str) if as_json else draw_tree(found))
