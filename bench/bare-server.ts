// bun bench/bare-server.ts DIRECTORY: the least that can answer a stored value over HTTP from Koor's own database file.
// One route, one prepared statement on the same two tables; no checks, no ETag, no ledger.
import { Database } from "bun:sqlite";
import { join } from "node:path";

const db = new Database(join(process.argv[2] as string, "data.db"), { readonly: true });
const statement = db.prepare(
  `select r.content_type, (select v.value from versions v where v.id = r.version_id) as value from records r
     where r.collection = 'state' and r.key = ? and r.deleted = 0`,
);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: {
    "/api/state/:key": (request) => {
      const row = statement.get(request.params.key) as {
        content_type: string;
        value: Uint8Array<ArrayBuffer>;
      } | null;
      if (!row) return new Response(null, { status: 404 });
      return new Response(row.value, { headers: { "Content-Type": row.content_type } });
    },
  },
  development: false,
});
console.error(`listening on http://127.0.0.1:${server.port}`);
