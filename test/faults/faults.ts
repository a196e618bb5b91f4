import type { PromiseId } from "../promises.ts";

/** A fault to be planted in a copy of the sources, so that a promise's tests are seen to find it. */
export interface Fault {
  promise: PromiseId;
  /** What is wrong with it. */
  says: string;
  file: string;
  /** What stands in the file, once. */
  find: string;
  /** What is put in its place. */
  put: string;
  /** The test file that must fail, in a test that cites the promise. */
  test: string;
  /** The tests run the compiled programs. */
  compiled?: true;
}

export const faults: readonly Fault[] = [
  {
    promise: "DUR-1",
    says: "the writer answers when a batch is written, and commits only every tenth",
    file: "src/store/sqlite/writer.ts",
    find: `    let applied = 0;
    const written = this.#db
      .transaction(() => {
        const decision = decide(batch, this.#load(batch), now);
        this.#apply(decision);
        const { events, audit } = decision.heads;
        applied = performance.now();
        return { outcomes: decision.outcomes, newest: { events, audit } };
      })
      .immediate();
    return { ...written, syncMs: performance.now() - applied };`,
    put: `    if (!this.#db.inTransaction) this.#db.run("begin immediate");
    const decision = decide(batch, this.#load(batch), now);
    this.#apply(decision);
    if (decision.heads.revision % 10 === 0) this.#db.run("commit");
    const { events, audit } = decision.heads;
    return { outcomes: decision.outcomes, newest: { events, audit }, syncMs: 0 };`,
    test: "test/durability.test.ts",
    compiled: true,
  },
  {
    promise: "DUR-2",
    says: "commits are not synced (synchronous=NORMAL)",
    file: "src/store/sqlite/database.ts",
    find: "db.run(`pragma synchronous = ${synchronous}`);",
    put: 'db.run("pragma synchronous = NORMAL");',
    test: "test/durability.test.ts",
    compiled: true,
  },
  {
    promise: "DUR-3",
    says: "the lock is one that others may have too",
    file: "src/store/sqlite/lock.ts",
    find: 'db.run("begin exclusive");',
    put: 'db.run("begin");',
    test: "test/process.test.ts",
    compiled: true,
  },
  {
    promise: "CAS-1",
    says: "an If-Match is not held against the record",
    file: "src/core/decide.ts",
    find: 'if (guard.match !== undefined && !names(guard.match, tag)) return "mismatch";',
    put: "",
    test: "test/state.test.ts",
  },
  {
    promise: "CAS-2",
    says: "a key that was deleted begins at version 1 again",
    file: "src/core/decide.ts",
    find: "version: (previous?.version ?? 0) + 1,",
    put: "version: (isLive(previous, now) ? previous.version : 0) + 1,",
    test: "src/core/decide.test.ts",
  },
  {
    promise: "LIN-1",
    says: "reads share a snapshot for longer than a turn",
    file: "src/store/sqlite/reader.ts",
    find: `    if (!this.#inSnapshot) return;
    this.#inSnapshot = false;`,
    put: `    if (!this.#inSnapshot || performance.now() % 20 > 10) return;
    this.#inSnapshot = false;`,
    test: "test/linearizability.test.ts",
  },
  {
    promise: "TXN-1",
    says: "only the first condition of a transaction is held against the store",
    file: "src/core/decide.ts",
    find: "for (const [index, op] of commit.ops.entries()) {",
    put: "for (const [index, op] of commit.ops.slice(0, 1).entries()) {",
    test: "test/txn.test.ts",
  },
  {
    promise: "LOG-1",
    says: "an id is passed over where many publish at once",
    file: "src/core/decide.ts",
    find: "state.heads.events += 1;",
    put: "state.heads.events += state.events.length === 3 ? 2 : 1;",
    test: "test/events.test.ts",
  },
  {
    promise: "LOG-2",
    says: "a reader that has no room for an entry begins behind the next one",
    file: "src/feed/subscription.ts",
    find: "if (!room) blockedSince = source.now();",
    put: "if (!room) { blockedSince = source.now(); position += 1; }",
    test: "src/feed/feed.test.ts",
  },
  {
    promise: "LOG-3",
    says: "a stream gathers without end for a reader that does not read",
    file: "src/http/event-streams.ts",
    find: "          return more;",
    put: "          return true;",
    test: "test/streams.test.ts",
  },
  {
    promise: "IDEM-1",
    says: "what was made once is made again",
    file: "src/core/decide.ts",
    find: `if (isLive(made, now)) return { ok: false, op: -1, failure: "repeated", current: made };`,
    put: "void made;",
    test: "src/store/memory/memory.test.ts",
  },
  {
    promise: "LEASE-1",
    says: "a fence is not held against its lease",
    file: "src/core/decide.ts",
    find: 'if (guard.fence !== undefined && guard.fence !== current?.createRevision) return "lost";',
    put: "",
    test: "test/leases.test.ts",
  },
  {
    promise: "LEASE-1",
    says: "who waits in line may write with the number that it will have",
    file: "src/store/write.ts",
    find: "  if (fence) await refusePlaceInLine(store, fence);\n",
    put: "  void refusePlaceInLine;\n",
    test: "test/leases.test.ts",
  },
  {
    promise: "LIMIT-1",
    says: "what is no JSON is a fault of the server",
    file: "src/http/request.ts",
    find: 'throw new KoorError("bad_request", `the body is not JSON: ${(error as Error).message}`, { path: "body" });',
    put: "throw error;",
    test: "test/bad-input.test.ts",
  },
  {
    promise: "COMPAT-1",
    says: "a contract may have changed since it was compared",
    file: "src/contracts/gate.ts",
    find: 'return [...guards, { kind: "guard", collection: "specs", key, guard: { version: compared } }];',
    put: "return (void compared, guards);",
    test: "test/contracts.test.ts",
  },
  {
    promise: "HOOK-1",
    says: "the next delivery does not wait until the position is written",
    file: "src/webhooks/lane.ts",
    find: "const settled = await book.settle(step);",
    put: "const settled = true;\n    void book.settle(step);\n    await Promise.resolve();",
    test: "test/webhooks-kill.test.ts",
    compiled: true,
  },
  {
    promise: "AUDIT-1",
    says: "only gaps are looked for, not hashes",
    file: "src/core/audit-chain.ts",
    find: "chainHash(last.hash, row) !== hash",
    put: "chainHash(last.hash, row).length !== 64",
    test: "test/audit.test.ts",
  },
  {
    promise: "REGEX-1",
    says: "a validation may take a minute",
    file: "src/rules/engine.ts",
    find: "export const BUDGET_MS = 2000;",
    put: "export const BUDGET_MS = 60_000;",
    test: "test/others-do-not-wait.test.ts",
    compiled: true,
  },
  {
    promise: "READ-1",
    says: "a read waits until what was accepted is written",
    file: "src/store/sqlite/open.ts",
    find: "get: async (collection, key) => reader.get(collection, key),",
    put: "get: async (collection, key) => (await writer.idle(), reader.get(collection, key)),",
    test: "test/others-do-not-wait.test.ts",
    compiled: true,
  },
  {
    promise: "DISK-1",
    says: "a full disk is taken for a fault of the server",
    file: "src/store/sqlite/database.ts",
    find: 'if (code === "SQLITE_FULL") {',
    put: 'if (code === "SQLITE_NEVER") {',
    test: "test/durability.test.ts",
    compiled: true,
  },
  {
    promise: "IDEM-1",
    says: "a check of contracts that is asked for again is made again",
    file: "src/compliance/service.ts",
    find: "return perform(store, terms, plan, (_, { runs, truncated }) => ({",
    put: "return perform(store, { caller: terms.caller }, plan, (_, { runs, truncated }) => ({",
    test: "test/compliance.test.ts",
  },
  {
    promise: "LIMIT-1",
    says: "checks of contracts wait without end",
    file: "src/compliance/service.ts",
    find: "if (waiting >= waitingMost)",
    put: "if (waiting < 0)",
    test: "src/compliance/service.test.ts",
  },
  {
    promise: "TXN-1",
    says: "a template's rules are imported before its contracts are judged",
    file: "src/templates/apply.ts",
    find: `  const ops = await specs(house, project, documents, detail);
  if (rules) ops.push(await house.importRules(project, rules, { at: "data.rules.", detail }));
  return ops;`,
    put: `  const imported = rules && (await house.importRules(project, rules, { at: "data.rules.", detail }));
  if (imported) await house.store.commit({ by: "", ops: [imported] });
  return specs(house, project, documents, detail);`,
    test: "test/templates.test.ts",
  },
  {
    promise: "COMPAT-1",
    says: "what a template writes is not held against the promises that were made of it",
    file: "src/templates/apply.ts",
    find: "const admitted = await placed(at, () => gate([{ key, value }]));",
    put: "const admitted: Op[] = [];\n    void gate;",
    test: "test/templates.test.ts",
  },
  {
    promise: "AUTH-1",
    says: "a token in the query counts",
    file: "src/http/front.ts",
    find: "if (this.isToken(given)) return;",
    put: 'if (this.isToken(given) || this.isToken(new URL(request.url).searchParams.get("token") ?? "")) return;',
    test: "test/front.test.ts",
  },
  {
    promise: "ORIGIN-1",
    says: "another site's page may read",
    file: "src/http/front.ts",
    find: "if (origin !== null) {",
    put: 'if (origin !== null && request.method !== "GET") {',
    test: "test/front.test.ts",
  },
  {
    promise: "ORIGIN-1",
    says: "whatever origin asks may read what it is answered",
    file: "src/http/cors.ts",
    find: "return hosts.has(url.host) && url.origin === origin ? origin : undefined;",
    put: "return url.origin === origin ? origin : undefined;",
    test: "test/cors.test.ts",
  },
  {
    promise: "STOP-1",
    says: "requests that are under way are cut off",
    file: "src/server.ts",
    find: "      await finished(servers);\n",
    put: "",
    test: "test/process.test.ts",
    compiled: true,
  },
];
