-- The two largest tables of open data asked ops.load for each of their rows, which was a third of what their COPY costs. A row is
-- copied in the transaction that writes its load, loads are never deleted, and the table of months or days that belongs to the
-- same load keeps its key.
alter table raw.open_budget_row drop constraint open_budget_row_load_id_fkey;
alter table raw.treasury_transaction drop constraint treasury_transaction_load_id_fkey;
