import { expect, test } from "bun:test";
import { apiAddress, showAge, showCommand, showDuration, showUsd } from "./show.ts";

test("ages are in their largest unit; clocks that disagree do no harm", () => {
  const ages = [-5000, 999, 1000, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000, 40 * 86_400_000];
  expect(ages.map(showAge)).toEqual(["now", "now", "1 s", "59 s", "1 min", "59 min", "1 h", "1 d", "40 d"]);
});

test("what the server tells in hours, minutes and seconds is told as ages are", () => {
  const told = ["0s", "22s", "6m33s", "1h6m33s", "50h0m1s", "350ms"].map(showDuration);
  expect(told).toEqual(["now", "22 s", "6 min", "1 h", "2 d", "now"]);
});

test("a command works as it stands", () => {
  expect(showCommand("koor-cli status", "localhost:9800")).toBe("koor-cli status");
  expect(showCommand("koor-cli status", "localhost:9901")).toBe(
    "KOOR_SERVER=http://localhost:9901 koor-cli status",
  );
});

test("an address that means every interface is shown as the name this page was called by", () => {
  expect(apiAddress("0.0.0.0:9800", "koor.lan")).toBe("koor.lan:9800");
  expect(apiAddress("[::]:9800", "koor.lan")).toBe("koor.lan:9800");
  expect(apiAddress("localhost:9800", "koor.lan")).toBe("localhost:9800");
});

test("money is shown in cents, where there are any; what is less keeps its first digits", () => {
  const shown = [0, 0.000_001, 0.004_213, 0.01, 1.5, 12.345, 999.99, 1234.5].map(showUsd);
  expect(shown).toEqual(["$0.00", "$0.000001", "$0.0042", "$0.01", "$1.50", "$12.35", "$999.99", "$1,235"]);
});
