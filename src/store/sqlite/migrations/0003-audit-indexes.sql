-- For who asks what somebody did, what was done to something, and what was done when: newest first. The ids follow by
-- themselves. Not by action: there are few, and rows of most are found at once.
create index audit_by_actor on audit (actor, at);
create index audit_by_resource on audit (resource, at);
create index audit_by_time on audit (at);
