"""Whether the data may pass: suites at the borders (gates), rules on returns, and what they found.

What belongs: reading the suites of ``expectations/``, running them through Great Expectations, the verdict on a gate, opening
and closing findings of returns. What does not: compiling rules (``asms.catalogue``), tests of dbt models, mail
(``asms.notify``), stopping a run (whoever calls ``run_gate`` does that).
"""
