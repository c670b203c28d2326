"""Geography: units of КАТОТТГ, the names people call them by, and which hromada a name or code belongs to.

What belongs: codes, names (also former ones), events, crosswalks between dates. What does not: fetching the codifier
(``asms.sources.katottg``), reading returns (``asms.intake``), figures of any kind.
"""

from asms.geography.gazetteer import Candidate, Gazetteer, NoCodifierError, Resolution, resolve_municipality

__all__ = ["Candidate", "Gazetteer", "NoCodifierError", "Resolution", "resolve_municipality"]
