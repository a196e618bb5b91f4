import { BlockList, isIP, isIPv6 } from "node:net";

/** Which addresses a contract test may call. */

export interface TargetPolicy {
  /** Whether a host may be called at one of its addresses. @param address an IP address */
  allows(host: string, address: string): boolean;
}

/**
 * Reads `--contract-targets`: with commas between, `loopback`, addresses, networks (`10.0.0.0/8`), and names of hosts,
 * which may then be called wherever they are.
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
