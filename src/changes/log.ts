import { showTime } from "../contract/fields.ts";
import { changeTopic } from "../core/audit.ts";
import type { AuditRow } from "../core/commit.ts";
import { lazy } from "../core/lazy.ts";
import type { Log } from "../feed/log.ts";
import type { Store } from "../store/store.ts";

/** The audit log as the feed follows it: what was changed, by the topic of the resource. */
export function changeLog(store: Store): Log {
  return {
    async read(after, limit, topic) {
      const rows = await store.audit({ order: "oldest", after, limit, topic });
      return rows.map((row) => ({
        id: row.id,
        topic: changeTopic(row),
        // What was refused changed nothing.
        hidden: row.outcome !== "ok",
        size: row.resource.length + row.detail.length,
        frame: lazy(() => JSON.stringify(showChange(row))),
      }));
    },
    async heads() {
      const { epoch, firstAudit, audit } = await store.heads();
      return { epoch, first: firstAudit, last: audit };
    },
    watch: (listener) => store.watch(({ audit }) => listener(audit)),
  };
}

function showChange(row: AuditRow) {
  const { version = 0 } = JSON.parse(row.detail) as { version?: number };
  const { id, action, resource, actor, at } = row;
  return { id, topic: changeTopic(row), action, resource, version, actor, created_at: showTime(at) };
}
