-- The same as SQLite has, see there.
create index audit_by_actor on koor.audit (actor, at, id);
create index audit_by_resource on koor.audit (resource, at, id);
create index audit_by_time on koor.audit (at, id);
