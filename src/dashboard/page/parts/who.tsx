/** Who did something, by the name that the server gives it. */

/** What the server calls by names of its own. */
const meanings: Readonly<Record<string, string>> = {
  dashboard: "A person at this page",
  "liveness-monitor": "The server itself: it looks who is silent",
  "lease-monitor": "The server itself: it ends leases whose time is over",
};

/** The word for whoever named no instance; in the audit and in changes the server calls them `local`. */
export const unidentified = "unidentified";

/** What whoever it was is called on this page. */
export const whoOf = (name: string) => (name === "" || name === "local" ? unidentified : name);

const howTo =
  "Whoever it was did not say who they are. An agent does by registering, koor-cli register NAME, and by the token that this answers, in KOOR_INSTANCE_TOKEN or the header Koor-Instance-Token.";

/** @param link whether it may lead to how one is known by a name: not within what is chosen as a whole */
export function Who({ name, link = false }: { name: string; link?: boolean }) {
  if (whoOf(name) !== unidentified) return <span title={meanings[name] ?? name}>{name}</span>;
  if (!link) return <span title={howTo}>{unidentified}</span>;
  return (
    <a href="/connect" class="unidentified" title={howTo}>
      {unidentified}
    </a>
  );
}
