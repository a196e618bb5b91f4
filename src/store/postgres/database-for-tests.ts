import { randomUUID } from "node:crypto";
import { connect } from "./database.ts";

/** The PostgreSQL that `npm test` started; undefined where there is none. */
export const postgresUrl = process.env["KOOR_TEST_POSTGRES"];

/** A new, empty database of the cluster under test, and the function that drops it. */
export async function newDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  if (!postgresUrl) throw new Error("KOOR_TEST_POSTGRES names no PostgreSQL: npm test starts one");
  const name = `koor_${randomUUID().replaceAll("-", "")}`;
  const admin = connect(postgresUrl, 1);
  await admin.query(`create database ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await admin.query(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
}
