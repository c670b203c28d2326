-- Made anew by the publisher: for one figure it read all rows of open data.
drop view if exists marts.explain_value;
