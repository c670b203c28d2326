-- fct_revision is one of the publisher's own views now: a function read all revisions for those of one body. The statistics are
-- made anew: for all indicators they went through an index on all rows.
drop view if exists marts.fct_revision;
drop function if exists marts.list_revisions();
drop view if exists marts.mart_revision_statistics;
