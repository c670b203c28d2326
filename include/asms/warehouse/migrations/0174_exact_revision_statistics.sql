-- The statistics of revisions are made anew: their sums followed the order of rows in the last digit.
drop view if exists marts.mart_revision_statistics;
