-- The catalogue: by what it was stored, its cards in full, and every version of them.

-- Hash of the files and of the code that compiled them: while it is the same there is nothing to compile. '' where a catalogue was
-- stored that is not the installed one.
alter table catalogue.version add column source_version text not null default '';
