"""Who is told what: addresses by domain, from a YAML file that people edit."""

import importlib.resources
from collections import defaultdict
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


class RecipientsError(ValueError):
    """The list of recipients cannot be used; the message says why."""


def _check_address(text: str) -> str:
    _, address = parseaddr(text)
    name, _, host = address.partition("@")
    if not (name and host) or any(character in text for character in "\r\n\0") or " " in address:
        raise ValueError(f"{text!r} is no mail address")
    return text


Address = Annotated[str, AfterValidator(_check_address)]


class Recipients(BaseModel):
    """Addresses: of the sender, of the staff, and of those who answer for a domain's indicators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: Address
    staff: tuple[Address, ...]
    domains: dict[str, tuple[Address, ...]] = {}

    @property
    def scopes(self) -> dict[str, tuple[str, ...] | None]:
        """Domains that each address is told about, sorted; None means everything."""
        told: defaultdict[str, set[str]] = defaultdict(set)
        for domain, addresses in self.domains.items():
            for address in addresses:
                told[address].add(domain)
        of_domains = {address: tuple(sorted(domains)) for address, domains in sorted(told.items())}
        return {**of_domains, **dict.fromkeys(self.staff)}


def load_recipients(file: Path | None = None) -> Recipients:
    """Read the list (the package's own unless given). Raises RecipientsError."""
    source = file or importlib.resources.files("asms.notify").joinpath("recipients.yaml")
    try:
        return Recipients.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise RecipientsError(f"the list of recipients {source.name} cannot be used: {error}") from error
