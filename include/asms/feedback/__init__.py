"""The answer to a sender: his return with everything that was found in it, as a workbook, a page and JSON, and a mail.

What belongs: gathering what one file has wrong, writing the report, the ledger of reports made. What does not: finding what is
wrong (``asms.quality``), reading what a sender explains (``asms.intake.explanations``), sending mail (``asms.notify``). Stands
above the domain's packages because it joins them.
"""

from asms.feedback.make import FeedbackError, MadeFeedback, make_feedback

__all__ = ["FeedbackError", "MadeFeedback", "make_feedback"]
