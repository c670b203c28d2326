"""The domain of the ASMS warehouse in plain typed Python, importable with no Airflow installed.

What belongs: what the warehouse does with a number, from a sender's bytes to a published row. What does not: how Airflow
does it (``asms_airflow``), what must be true at a border (``expectations/``), SQL that builds tables (``dbt_project/``).
Nothing here imports Airflow, reads the environment outside ``asms.settings`` or does I/O when imported.
"""
