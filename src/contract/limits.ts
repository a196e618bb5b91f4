/**
 * Every bound on what comes in, by name. Sizes are bytes, times milliseconds.
 * A body over its limit is 413, a text over its limit 400; pages are cut, not refused.
 */
export const limits = {
  /** A state or spec value, or content to validate: an OpenAPI document of a large service is 2 to 5 MiB. */
  valueBytes: 10 * 1024 * 1024,
  /** Any other body. */
  bodyBytes: 1024 * 1024,
  /** A backup that is restored; it is put on disk, and a full disk is said before that. */
  backupBytes: 64 * 1024 * 1024 * 1024,
  /** A key, a project, a spec's name: the size etcd's own documentation advises to stay under is 1 KiB. */
  keyBytes: 512,
  /** An event's topic, and a pattern over topics. */
  topicBytes: 4096,
  /** A short text a person writes: a name, a workspace, a stack, one capability. */
  nameBytes: 512,
  /** A longer text a person writes: an intent, a message, a note. */
  noteBytes: 4096,
  /** Capabilities of one instance. */
  capabilities: 64,
  /** Levels of JSON that is picked from, compared or patched; what is only kept may be deeper. Real documents have 20. */
  jsonDepth: 1000,
  /** A body of `PATCH`. */
  patchBytes: 1024 * 1024,
  /** A JSON pointer. */
  pointerBytes: 4096,
  /** Operations of one transaction, and conditions: etcd takes 128 of each unless told otherwise. */
  transactionOps: 64,
  /** Rows in one page; larger asks are cut to this. */
  pageRows: 1000,
  /** How long one request may wait for something to happen, in milliseconds: less than proxies let pass in silence. */
  waitMs: 60_000,
  /** Rows of a history, of events or of versions, when nothing is asked for. */
  historyRows: 50,
  /** Calls of models in one request that imports them: some 200 KiB. */
  usageRecords: 500,
  /** Paths of one lease: what two leases cost to compare grows with the square of it. */
  leasePaths: 32,
  /** A path of a lease: what two of them cost to compare grows with the square of it. */
  leasePathBytes: 256,
  /** A request for a lease: all its paths with every character escaped. Small, since it may be held for a minute. */
  leaseBodyBytes: 64 * 1024,
  /** Webhooks at a time: each looks at every event. */
  webhooks: 1000,
  /** Patterns of one webhook. */
  webhookPatterns: 32,
  /** A webhook's URL, in bytes: as long as most servers take one. */
  webhookUrlBytes: 2048,
  /** Leases at a time: each that comes is compared with all of them. */
  leases: 1000,
  /** Requests in line for a lease: each that comes is compared with all of them. */
  leasesWaiting: 1000,
  /** How long a lease lasts at least, in milliseconds: so long that a renewal gets through. */
  leaseLeastMs: 1000,
  /** How long a lease lasts at most without a renewal, in milliseconds: a day. */
  leaseMostMs: 24 * 60 * 60 * 1000,
} as const;
