/** What most often keeps a server from its database, by the error's code, with what to do. */
const advice: readonly { codes: RegExp; text: string }[] = [
  {
    // SQLSTATE 42501: too few rights.
    codes: /^42501$/,
    text: "The role of --database (KOOR_DATABASE) needs the schema koor: as an administrator, create schema koor authorization ROLE",
  },
  {
    codes: /^53300$/,
    text: "A server takes up to fourteen connections: raise max_connections, or put a pooler in between (docs/scaling.md)",
  },
  { codes: /^57P03$/, text: "Start again in a moment" },
  {
    codes: /^(ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)|^ENOENT$/,
    text: "In the URL of --database (KOOR_DATABASE), sslmode=verify-full&sslrootcert=FILE names the certificate of its authority",
  },
  { codes: /^25006$/, text: "Name a database that can be written to" },
  {
    // SQLSTATEs: 28 is no such user or a wrong password, 3D000 no such database.
    codes: /^(28|3D000|08|E[A-Z_]+$)|^$/,
    text: "Check the user, host and database of --database (KOOR_DATABASE), and that PostgreSQL runs there",
  },
];

/** A failure of the first thing that is asked of a database, with what to do about it. */
export function explained(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message: string };
  // What has no code is our own refusal, or the client's.
  const known =
    typeof code === "string"
      ? advice.find(({ codes }) => codes.test(code))
      : fromClient.test(message) && last;
  if (!known) return error;
  return new Error(`${message || "the database cannot be reached"}. ${known.text}.`, { cause: error });
}

const last = advice.at(-1);

/** What the client says when it gets no connection. */
const fromClient = /connection terminated|timeout|does not support SSL|^$/i;
