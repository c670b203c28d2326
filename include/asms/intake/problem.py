"""What stops a file from being read: raised by readers, turned into a finding by ``read_deliveries``."""


class ProblemError(Exception):
    """A file cannot be used. Carries the rule, the place and the words of the finding that people get."""

    def __init__(
        self,
        rule_id: str,
        message_uk: str,
        message_en: str,
        *,
        sheet: str | None = None,
        cell: str | None = None,
        value_found: str | None = None,
    ) -> None:
        super().__init__(f"{rule_id}: {message_en}")
        self.rule_id = rule_id
        self.message_uk = message_uk
        self.message_en = message_en
        self.sheet = sheet
        self.cell = cell
        self.value_found = value_found

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes: an exception is made again from its text alone unless told otherwise."""
        return _remake, (self.rule_id, self.message_uk, self.message_en, self.sheet, self.cell, self.value_found)


def _remake(
    rule_id: str, message_uk: str, message_en: str, sheet: str | None, cell: str | None, value_found: str | None
) -> ProblemError:
    return ProblemError(rule_id, message_uk, message_en, sheet=sheet, cell=cell, value_found=value_found)
