"""A report: one file that was sent, the cells it held, and what was found in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

SEVERITIES = ("fatal", "error", "warning", "info")


@dataclass(frozen=True)
class SentCell:
    """A cell as the sender filled it in. ``is_counted`` is false where a later file answers the same."""

    sheet: str
    cell: str
    indicator_code: str
    sex: str
    value_text: str | None
    value_type: str
    reason_text: str | None
    remark_text: str | None
    is_counted: bool


@dataclass(frozen=True)
class Item:
    """One finding, as the sender reads it. ``explanation_*`` are of the last explanation that he sent, if any."""

    finding_id: str
    rule_id: str
    severity: str
    file_name: str
    sheet: str | None
    cell: str | None
    indicator_code: str | None
    sex: str | None
    name_uk: str | None
    name_en: str | None
    value_found: str | None
    value_expected: str | None
    message_uk: str
    message_en: str
    remedy_uk: str
    remedy_en: str
    explanation_text: str | None = None
    explanation_status: str | None = None

    @property
    def can_be_explained(self) -> bool:
        return self.severity == "warning"


@dataclass(frozen=True)
class Report:
    """What there is to tell about one file; ``form_code`` is None when it could not be read."""

    about_id: str
    form_code: str | None
    collection_code: str | None
    municipality_code: str | None
    municipality_name: str | None
    time_period: str | None
    file_name: str
    sha256: str
    catalogue_version: str
    items: tuple[Item, ...]
    cells: tuple[SentCell, ...]

    @cached_property
    def findings_hash(self) -> str:
        """Hash of everything told: equal findings of one file have an equal hash."""
        told = [self.about_id, *(asdict(item) for item in self.items)]
        return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Findings by severity, all severities named."""
        return {severity: sum(item.severity == severity for item in self.items) for severity in SEVERITIES}

    @property
    def stem(self) -> str:
        """Path of the report's files below the feedback folder, without the suffix: a function of what they say."""
        place = f"{self.time_period}/{self.municipality_code}" if self.municipality_code else "unread"
        name = f"{self.municipality_code}-{self.time_period}" if self.municipality_code else self.about_id[:12]
        return f"{place}/{name}-{self.findings_hash[:12]}"

    def as_json(self) -> dict[str, Any]:
        """The report for programs, without the cells that nothing is said about."""
        return {
            "about_id": self.about_id,
            "form_code": self.form_code,
            "collection_code": self.collection_code,
            "municipality_code": self.municipality_code,
            "municipality_name": self.municipality_name,
            "time_period": self.time_period,
            "file_name": self.file_name,
            "sha256": self.sha256,
            "findings_hash": self.findings_hash,
            "counts": {**self.counts, "total": len(self.items)},
            "findings": [{**asdict(item), "can_be_explained": item.can_be_explained} for item in self.items],
        }
