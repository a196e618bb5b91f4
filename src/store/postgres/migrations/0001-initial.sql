-- The same tables as SQLite has, see there. Texts are compared by their bytes, whatever the database's locale is.
create table koor.versions (
  id bigint generated always as identity primary key,
  collection text collate "C" not null,
  key text collate "C" not null,
  version bigint not null,
  revision bigint not null,
  content_type text not null,
  hash text not null,
  size bigint not null,
  deleted boolean not null,
  updated_at bigint not null,
  updated_by text not null,
  value bytea not null
);
create unique index versions_by_key on koor.versions (collection, key, version);
-- Values are what agents wrote: most are small, and compressing them costs the writer more than the disk.
alter table koor.versions alter column value set storage external;

create table koor.records (
  collection text collate "C" not null,
  key text collate "C" not null,
  version bigint not null,
  revision bigint not null,
  content_type text not null,
  hash text not null,
  size bigint not null,
  deleted boolean not null,
  updated_at bigint not null,
  updated_by text not null,
  touched_at bigint not null,
  create_revision bigint not null,
  expires_at bigint not null,
  primary key (collection, key)
);
create index records_by_end on koor.records (collection, expires_at) where expires_at > 0;

create table koor.events (
  id bigint primary key,
  topic text collate "C" not null,
  source text not null,
  created_at bigint not null,
  data text not null
);
create index events_by_topic on koor.events (topic, id);

create table koor.audit (
  id bigint primary key,
  at bigint not null,
  actor text not null,
  action text not null,
  resource text not null,
  detail text not null,
  outcome text not null,
  hash text not null
);

-- One row, locked by whoever commits: where the logs and counts stand, and the name of this history. Few bytes and
-- updated with every commit, so that most updates stay within its page.
create table koor.heads (
  id integer primary key check (id = 1),
  epoch text not null,
  heads text not null
) with (fillfactor = 10);

-- When each job last had its turn, so that one server at a time has it.
create table koor.turns (
  job text primary key,
  taken_at bigint not null
);
