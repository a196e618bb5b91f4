-- What calls of language models used. Never changed, never trimmed.
create table usage (
  id integer primary key,
  at integer not null,
  provider text not null,
  model text not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cache_read integer not null,
  cache_write integer not null,
  cost integer not null,
  cost_source text not null,
  instance_id text not null,
  project text not null,
  session_tag text not null,
  request_type text not null
) strict;
create index usage_by_time on usage (at);
create index usage_by_instance on usage (instance_id, at);
create index usage_by_project on usage (project, at);
create index usage_by_session on usage (session_tag, at);

-- What each day came to, by each thing that is asked for. Made of the rows above as they are written.
create table usage_days (
  grouping text not null,
  name text not null,
  day integer not null,
  requests integer not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cost integer not null,
  primary key (grouping, day, name)
) strict, without rowid;

-- What each instance did in each hour; counted in memory and added here every few seconds.
create table metrics (
  instance_id text not null,
  period text not null,
  name text not null,
  value integer not null,
  primary key (instance_id, period, name)
) strict, without rowid;
