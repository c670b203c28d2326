"""Where one figure comes from: its birth certificate as data, as a tree for a terminal, and as a page.

What belongs: reading what published marts, raw, rules and releases say about one value, and showing it. What does not: computing
values, or deciding about them. Values come from ``published`` alone, so a restricted indicator cannot be asked for here.
"""

from asms.explain.gather import Certificate, ExplainError, explain_value
from asms.explain.page import write_page
from asms.explain.tree import draw_tree

__all__ = ["Certificate", "ExplainError", "draw_tree", "explain_value", "write_page"]
