-- One state and one event, committed together; the event's id rises by one with each commit, in their order.
\set key random(1, :keys)
begin;
update bench.head set event = event + 1 where id = 1;
insert into bench.state values ('key-' || :key, 1, now(), convert_to(repeat('x', :bytes), 'UTF8'))
  on conflict (key) do update set version = bench.state.version + 1, updated_at = excluded.updated_at, value = excluded.value;
insert into bench.event select event, 'state.put', now(), '{"version":1}' from bench.head where id = 1;
commit;
