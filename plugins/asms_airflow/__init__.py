"""How Airflow does it: thin tasks, asset names, policy, the nightly runner.

What belongs: fetching a connection, calling ``asms``, returning ids and counts. What does not: business rules,
source-specific code, SQL longer than a line.
"""
