"""Mail to people: what failed, where, and what to do about it.

What belongs: gathering a run's news, composing them in Ukrainian and English, the outbox that sends each once. What does not:
deciding what is wrong (``asms.quality``), how a connection to a mail server is found (the caller passes ``send``).
"""

from asms.notify.candidate import queue_candidate, tell_candidate
from asms.notify.outbox import NotifyError, NotifyResult, notify, send_waiting

__all__ = ["NotifyError", "NotifyResult", "notify", "queue_candidate", "send_waiting", "tell_candidate"]
