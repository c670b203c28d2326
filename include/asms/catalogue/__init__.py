"""The catalogue: what is counted, how derived figures follow from it, and which rules returns must keep.

What belongs: the cards of indicators (data in ``data/``, which a spreadsheet can edit), the grammar of formulas and checks,
their compilation to SQL, the checks of the catalogue itself, its storing. What does not: values of any hromada, reading of
workbooks, running of rules (``asms.quality``), building of tables (``dbt_project/``).
"""

from asms.catalogue.cards import Card, Catalogue, CatalogueError, Collection, Domain, Rule
from asms.catalogue.check import check_catalogue
from asms.catalogue.load import load_catalogue
from asms.catalogue.store import StoredVersion, store_catalogue

__all__ = [
    "Card",
    "Catalogue",
    "CatalogueError",
    "Collection",
    "Domain",
    "Rule",
    "StoredVersion",
    "check_catalogue",
    "load_catalogue",
    "store_catalogue",
]
