import { BlockList, isIP, isIPv6 } from "node:net";

/** Which addresses the server may call on behalf of its users. */

export interface TargetPolicy {
  /** Whether a host may be called at one of its addresses. @param address an IP address */
  allows(host: string, address: string): boolean;
}

/**
 * Reads `--contract-targets` and `--webhook-allow`: with commas between, `loopback`, addresses, networks
 * (`10.0.0.0/8`), and names of hosts, which may then be called wherever they are.
 *
 * @throws Error naming what is none of them
 */
export function parseTargets(text: string): TargetPolicy {
  const addresses = new BlockList();
  const names = new Set<string>();
  const entries = text.split(",").map((part) => part.trim().toLowerCase());
  for (const entry of entries.filter((part) => part !== "")) {
    const [, network = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const family = isIPv6(network) ? "ipv6" : "ipv4";
    if (entry === "loopback") {
      addresses.addSubnet("127.0.0.0", 8, "ipv4");
      addresses.addAddress("::1", "ipv6");
    } else if (isIP(network)) {
      if (bits === undefined) addresses.addAddress(network, family);
      else addresses.addSubnet(network, Number(bits), family);
    } else if (bits === undefined && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(network)) names.add(network);
    else throw new Error(`${entry} is no target`);
  }
  return {
    allows: (host, address) => names.has(host) || addresses.check(address, isIPv6(address) ? "ipv6" : "ipv4"),
  };
}

/** What the world cannot reach, or what leads to something else than it says (IANA's special-purpose registries). */
const specialIpv4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
/** Within the global unicast addresses: Teredo and others for protocols, documentation, 6to4, which wraps any IPv4. */
const specialIpv6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const special = parseTargets([...specialIpv4, ...specialIpv6].join(","));
/** All else of IPv6 is not given to anybody's machine: loopback, link-local, unique local, IPv4 in disguise. */
const globalUnicast = parseTargets("2000::/3");
const loopback = parseTargets("loopback");

/**
 * Allows what is public, and what was named. Of this machine, of private networks and of the addresses at which clouds
 * tell secrets (169.254.169.254) nothing is public.
 *
 * @param named what may be called besides
 * @param withLoopback whether this machine's own addresses may, too: not when others can tell the server what to call
 */
export function publicOr(named: TargetPolicy, withLoopback: boolean): TargetPolicy {
  return {
    allows: (host, address) =>
      isPublic(address) || (withLoopback && loopback.allows("", address)) || named.allows(host, address),
  };
}

function isPublic(address: string): boolean {
  const given = !isIPv6(address) || globalUnicast.allows("", address);
  return isIP(address) !== 0 && given && !special.allows("", address);
}
