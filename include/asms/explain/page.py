"""A certificate as one page that needs no other file. Everything that a sender wrote is escaped."""

from functools import cache

import jinja2

from asms.explain.gather import Certificate, spell_value


def write_page(certificate: Certificate) -> str:
    """The page, in Ukrainian; the same certificate gives the same page."""
    return _template().render(top=certificate, spell=spell_value)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("asms.explain"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("explain.html.j2")
