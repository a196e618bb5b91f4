-- The same, with ids that are taken before the order of the commits is known.
\set key random(1, :keys)
begin;
insert into bench.state values ('key-' || :key, 1, now(), convert_to(repeat('x', :bytes), 'UTF8'))
  on conflict (key) do update set version = bench.state.version + 1, updated_at = excluded.updated_at, value = excluded.value;
insert into bench.serial_event values (nextval('bench.event_id'), 'state.put', now(), '{"version":1}');
commit;
