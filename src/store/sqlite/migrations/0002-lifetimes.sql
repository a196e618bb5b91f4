-- Since when a record exists without a break (a revision), and from when on it counts as deleted (0: never).
alter table records add column create_revision integer not null default 0;
alter table records add column expires_at integer not null default 0;
update records set create_revision = revision;

-- The few records that end by themselves, for the job that removes them.
create index records_by_end on records (collection, expires_at) where expires_at > 0;
