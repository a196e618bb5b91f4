-- Small values stay with their row, instead of going to a table of large ones, each with an index of its own: what agents
-- write is mostly of some kilobytes. Rows that are there stay as they are.
alter table koor.versions set (toast_tuple_target = 4080);
