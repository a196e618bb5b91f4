import { expect, test } from "bun:test";
import { parseTargets, publicOr } from "./target.ts";

const nothing = parseTargets("");

test.each([
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "127.9.9.9",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "192.0.0.8",
  "198.18.0.1",
  "203.0.113.9",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:169.254.169.254",
  "::ffff:8.8.8.8",
  "::7f00:1",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "2002:7f00:1::",
  "2002:a9fe:a9fe::1",
  "2001::1",
  "2001:db8::1",
  "3fff::1",
  "fe80::1",
  "fe80::1%eth0",
  "fc00::1",
  "fd00:ec2::254",
  "fec0::1",
  "ff02::1",
  "not an address",
  "",
])("%s is not public", (address) => {
  expect(publicOr(nothing, false).allows("host.example", address)).toBe(false);
});

test.each(["8.8.8.8", "1.1.1.1", "172.32.0.1", "192.167.1.1", "2606:4700::1111", "2a00:1450:4001::1"])(
  "%s is public",
  (address) => {
    expect(publicOr(nothing, false).allows("host.example", address)).toBe(true);
  },
);

test("loopback is allowed where it is, and what is named is, by address, network or name", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    expect(publicOr(nothing, true).allows("", address)).toBe(true);
    expect(publicOr(parseTargets("loopback"), false).allows("", address)).toBe(true);
  }
  expect(publicOr(nothing, true).allows("", "10.0.0.1")).toBe(false);
  const policy = publicOr(parseTargets("10.0.0.0/8,fd00::/8,hooks.internal"), false);
  expect(policy.allows("", "10.0.0.1")).toBe(true);
  expect(policy.allows("", "fd00::9")).toBe(true);
  expect(policy.allows("hooks.internal", "192.168.1.1")).toBe(true);
  expect(policy.allows("other.internal", "192.168.1.1")).toBe(false);
  expect(policy.allows("", "169.254.169.254")).toBe(false);
});
