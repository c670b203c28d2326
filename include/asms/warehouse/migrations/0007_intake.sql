-- Intake at the size of the country.

-- A file below the folder _test/ of the drop is a trial: it is read and checked, and never counts.
alter table raw.delivery add column is_test boolean not null default false;

-- Cells are written in the transaction that makes their submission and by nothing else, so the reference holds without being
-- asked for each of a cycle's 1.6 million cells, which took a quarter of the server's time.
alter table raw.submission_cell drop constraint submission_cell_submission_id_fkey;

-- Nor is a cell's address asked to be unique, which took more than half: the reader refuses a file whose form maps a cell twice,
-- and staging's index would. What is looked for are the cells of a submission.
alter table raw.submission_cell drop constraint submission_cell_pkey;
create index on raw.submission_cell (submission_id);
