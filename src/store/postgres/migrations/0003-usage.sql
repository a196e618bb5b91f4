-- The same tables as SQLite has, see there.
create table koor.usage (
  id bigint primary key,
  at bigint not null,
  provider text not null,
  model text collate "C" not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  cache_read bigint not null,
  cache_write bigint not null,
  cost bigint not null,
  cost_source text not null,
  instance_id text collate "C" not null,
  project text collate "C" not null,
  session_tag text collate "C" not null,
  request_type text not null
);
create index usage_by_time on koor.usage (at, id);
create index usage_by_instance on koor.usage (instance_id, at, id);
create index usage_by_project on koor.usage (project, at, id);
create index usage_by_session on koor.usage (session_tag, at, id);

create table koor.usage_days (
  "grouping" text not null,
  name text collate "C" not null,
  day bigint not null,
  requests bigint not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  cost bigint not null,
  primary key ("grouping", day, name)
);

create table koor.metrics (
  instance_id text collate "C" not null,
  period text collate "C" not null,
  name text collate "C" not null,
  value bigint not null,
  primary key (instance_id, period, name)
);
