-- fct_revision is one of the publisher's own views now: a function read all revisions for those of one body.
drop view if exists marts.fct_revision;
drop function if exists marts.list_revisions();
