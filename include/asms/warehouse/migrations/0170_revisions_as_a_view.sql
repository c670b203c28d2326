-- fct_revision is one of the publisher's own views now: a function read all revisions for those of one body.
drop view marts.fct_revision;
drop function marts.list_revisions();
