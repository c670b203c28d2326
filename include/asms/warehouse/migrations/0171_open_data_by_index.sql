-- Made anew by the publisher: for one figure it read all rows of open data.
drop view if exists marts.explain_value;

-- asms explain asks for those of one body
create index on quality.explanation (municipality_code, time_period);
