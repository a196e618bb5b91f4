/**
 * What Koor promises, by id. Tests cite the id in their name, as in `(CAS-1)`; a test fails when one is cited by none.
 * `docs/promises.md` says of each how it is proved and what it does not promise.
 */
export const promises = {
  "DUR-1": "A write that was answered 2xx survives `kill -9` of the server at any moment",
  "DUR-2": "A write that was answered 2xx survives a power cut",
  "DUR-3": "Two servers never share a data directory",
  "CAS-1":
    "Of 1,000 concurrent PUTs with one `If-Match`, exactly one gets 2xx and 999 get 412 with the current version",
  "CAS-2": "Versions of a key are consecutive, and never reused, not even after delete and re-create",
  "LIN-1": "Reads, writes, conditional writes and deletes of a key are linearizable",
  "TXN-1": "A transaction is all or nothing: in the answer, in the store, in the logs and for subscribers",
  "LOG-1": "Event ids are gap-free and in commit order, also with concurrent publishers",
  "LOG-2":
    "A subscriber sees each event that matches its pattern, from its position on, once and in order, across slow reading, reconnects and restarts; where retention has removed something, it is told so",
  "LOG-3": "One subscriber that never reads delays nobody and costs bounded memory",
  "IDEM-1": "A repeated request with the same `Idempotency-Key` changes nothing and gets the same answer",
  "LEASE-1": "A lease lasts its TTL unless released, and a write with a lost lease's fence is refused",
  "LIMIT-1": "Every input has a bound, and over it there is a clear 4xx and nothing stored",
  "COMPAT-1":
    "A contract keeps to the compatibility that was promised of it, whoever writes it, by whichever way, and however many at once",
  "HOOK-1":
    "A webhook is sent each event that matches, in order; a `kill -9` loses none, and repeats at most the one that is under way",
  "AUDIT-1": "A row of the audit that was changed, removed or put in is found by `koor-server audit verify`",
  "REGEX-1":
    "No rule and no content can hang the server: a validation has a budget of 2 s, then it is refused with 422",
  "READ-1": "Reads do not wait for writes",
  "DISK-1":
    "On a full disk the server keeps answering reads, refuses writes with 507, loses nothing, and recovers when there is room",
  "AUTH-1": "Without the token, with a wrong one, or with a foreign one, no operation but `/health` answers",
  "ORIGIN-1": "A web page on another origin can neither read nor change anything",
  "STOP-1":
    "On SIGTERM: no new connections, running requests finish (5 s), subscribers get a close frame, exit 0",
} as const;

export type PromiseId = keyof typeof promises;
