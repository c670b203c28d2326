"""What a run reads when no real drop or service is named: the shipped sample, and recorded answers of open data."""

from typing import TYPE_CHECKING

from asms.sample import MEMBERS_FILE, PAYERS_FILE, SPENDING_SINCE
from asms.settings import OPEN_SOURCES, WITHOUT_ADDRESS, Settings

if TYPE_CHECKING:
    from asms.sample.server import LocalServer


def make_shipped_sample(settings: Settings) -> None:
    """Put the shipped sample's workbooks where ``land_drop`` looks in a sample run; equal files when they are there."""
    from asms.catalogue import load_catalogue
    from asms.intake.template import write_template
    from asms.returns import list_questions
    from asms.sample.drop import YEARS, make_sample

    catalogue = load_catalogue()
    make_sample(
        settings.home / "sample" / "drop",
        write_template=write_template,
        rows={year: list_questions(catalogue, year) for year in YEARS},
        catalogue_version=catalogue.catalogue_version,
    )


def local_server_at(url: str, settings: Settings) -> "LocalServer":
    """What a local server in another process, at ``url``, has to offer."""
    from asms.sample.server import LocalServer, Recordings

    recordings = Recordings(settings.replay)
    return LocalServer(url, recordings.years, recordings.paths, recordings.budget_items)


def point_at(server: "LocalServer", settings: Settings) -> dict[str, str]:
    """Variables that send the clients of open data to ``server``, for what it has; a setting that is given stands."""
    wanted: dict[str, str] = {}
    if settings.is_sample and not settings.members:
        wanted["ASMS_MEMBERS"] = str(MEMBERS_FILE)
    if settings.is_sample and not settings.treasury_payers:
        wanted |= {"ASMS_TREASURY_PAYERS": str(PAYERS_FILE), "ASMS_SPENDING_SINCE": SPENDING_SINCE}
    if settings.replay and "katottg" not in settings.urls and any(settings.replay.rglob("kodifikator_*.xlsx")):
        wanted["ASMS_KATOTTG_URL"] = str(settings.replay)
    wanted |= {f"ASMS_{source.upper()}_URL": url for source, url in server.urls.items() if source not in settings.urls}
    if "ASMS_OPEN_BUDGET_URL" in wanted:
        if not settings.open_budget_years:
            wanted["ASMS_OPEN_BUDGET_YEARS"] = ",".join(map(str, server.years))
        if not settings.open_budget_items:
            wanted["ASMS_OPEN_BUDGET_ITEMS"] = ",".join(server.budget_items)
    return wanted


def cannot_be_had(server: "LocalServer | None", settings: Settings) -> dict[str, str]:
    """Sources that a run cannot load, with the reason. A run on recordings never asks the real services."""
    missing: dict[str, str] = {}
    for source in OPEN_SOURCES:
        if source == "katottg" or source in settings.urls:  # the codifier comes with a package
            continue
        if server and source not in server.paths:
            missing[source] = "not among the recordings"
        if not server and source in WITHOUT_ADDRESS:
            missing[source] = f"ASMS_{source.upper()}_URL is not set"
    if not settings.members and not settings.is_sample:
        missing["members"] = "ASMS_MEMBERS is not set"
    return missing
