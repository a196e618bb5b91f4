-- Every version's bytes, written once and appended. The value is the last column, so that reading the others
-- never walks its overflow pages. Of a collection without history only the newest version is here.
create table versions (
  id integer primary key,
  collection text not null,
  key text not null,
  version integer not null,
  revision integer not null,
  content_type text not null,
  hash text not null,
  size integer not null,
  deleted integer not null,
  updated_at integer not null,
  updated_by text not null,
  value blob not null
) strict;
create unique index versions_by_key on versions (collection, key, version);

-- What is current: small rows that point at the bytes. Tombstones stay, so that no version is used twice.
create table records (
  collection text not null,
  key text not null,
  version integer not null,
  revision integer not null,
  content_type text not null,
  hash text not null,
  size integer not null,
  deleted integer not null,
  updated_at integer not null,
  updated_by text not null,
  touched_at integer not null,
  version_id integer not null,
  primary key (collection, key)
) strict, without rowid;

create table events (
  id integer primary key,
  topic text not null,
  source text not null,
  created_at integer not null,
  data text not null
) strict;
create index events_by_topic on events (topic, id);

create table audit (
  id integer primary key,
  at integer not null,
  actor text not null,
  action text not null,
  resource text not null,
  detail text not null,
  outcome text not null,
  hash text not null
) strict;

-- One row: where the logs and counts stand (JSON of core's Heads), and the name of this history.
create table heads (
  id integer primary key check (id = 1),
  epoch text not null,
  heads text not null
) strict;
