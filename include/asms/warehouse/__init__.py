"""The database itself: the embedded server, connections, roles, migrations, COPY, builds and releases.

What belongs: what is true of the warehouse whatever is stored in it. What does not: anything that knows what an
indicator, a workbook or a source is; checks of data (``asms.quality``).
"""
