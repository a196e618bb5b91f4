-- What bench/postgres.ts lets pgbench write to.
create schema bench;
create table bench.state (key text primary key, version bigint not null, updated_at timestamptz not null, value bytea not null);
alter table bench.state alter column value set storage external;
create table bench.head (id integer primary key, event bigint not null) with (fillfactor = 10);
insert into bench.head values (1, 0);
create table bench.event (id bigint primary key, topic text not null, created_at timestamptz not null, data text not null);
create table bench.serial_event (like bench.event including all);
create sequence bench.event_id;
