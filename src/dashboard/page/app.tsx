import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { type View, views } from "../views.ts";
import { Audit } from "./audit/audit.tsx";
import { Connect } from "./connect/connect.tsx";
import { Events } from "./events/events.tsx";
import { helpOpen, shortcuts } from "./keyboard.ts";
import { Leases } from "./leases/leases.tsx";
import { connection, session } from "./live/connection.ts";
import { about, health, proposed } from "./live/lists.ts";
import { Login, logOut } from "./login.tsx";
import { Now } from "./now/now.tsx";
import { Boundary } from "./parts/boundary.tsx";
import { Confirmation, Dialog } from "./parts/dialog.tsx";
import { Icon } from "./parts/icon.tsx";
import { Lost } from "./parts/lost.tsx";
import { Mark } from "./parts/mark.tsx";
import { ViewFrame } from "./parts/panel.tsx";
import { count, showShort } from "./parts/show.ts";
import { pathOf, place } from "./router.ts";
import { Rules } from "./rules/rules.tsx";
import { Specs } from "./specs/specs.tsx";
import { State } from "./state/state.tsx";
import { nextTheme, theme } from "./theme.ts";
import { Tokens } from "./tokens/tokens.tsx";

const titles: Record<View, string> = {
  now: "Now",
  state: "State",
  specs: "Specs",
  rules: "Rules",
  events: "Events",
  leases: "Leases",
  tokens: "Tokens",
  audit: "Audit",
  connect: "Connect",
};

/** What each view answers: in the help, and on hover in the menu. */
const answers: Record<View, string> = {
  now: "Who is at work, on what; who is blocked, and by whom",
  state: "The values that agents share, with each version of them, and the way back",
  specs: "Documents of projects, and contracts: what breaks between versions",
  rules: "What code has to keep to; what agents propose as a rule",
  events: "What agents tell each other, as it happens",
  leases: "Who may change which files now, who waits for that; ending a lease by hand",
  tokens: "What models cost, and budgets",
  audit: "Who did what, and what was refused",
  connect: "The lines by which an agent joins",
};

/** What people come with who have read nothing. */
const tasks: readonly [question: string, path: string, view: string, then: string][] = [
  [
    "Who is blocked, and by whom?",
    "/",
    "Now",
    "has those who are blocked first, and says behind whom they wait.",
  ],
  [
    "How do I clear the way?",
    "/leases",
    "Leases",
    "has a button, Release, for a lease whose holder will not come back.",
  ],
  [
    "How do I undo a bad write?",
    "/state",
    "State",
    "has a tab, History, for each key: compare the versions there, and roll back to a good one. Specs have it, too.",
  ],
  ["Who did that?", "/audit", "Audit", "has everything that was written or refused, by whom and when."],
  ["How does an agent join?", "/connect", "Connect", "has the lines for each client."],
];

const contents: Record<View, ComponentType> = {
  now: Now,
  state: State,
  specs: Specs,
  rules: Rules,
  events: Events,
  leases: Leases,
  tokens: Tokens,
  audit: Audit,
  connect: Connect,
};

/** The whole page. */
export function App() {
  if (session.value === "needed") return <Login />;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Side />
      <div class="content">
        <Lost />
        <Main />
      </div>
      <Help />
      <Confirmation />
    </>
  );
}

function Main() {
  const { view } = place.value;
  const main = useRef<HTMLElement>(null);
  const last = useRef(view);
  const View = view && contents[view];
  useEffect(() => {
    document.title = view ? `${titles[view]} · Koor` : "Not found · Koor";
    if (last.current !== view) main.current?.focus();
    last.current = view;
  }, [view]);
  return (
    <main id="main" ref={main} tabIndex={-1} data-view={view ?? "none"}>
      <Boundary of={location.pathname}>{View ? <View /> : <Nowhere />}</Boundary>
    </main>
  );
}

function Nowhere() {
  return (
    <ViewFrame title="There is no such page">
      <p class="empty">
        Nothing is at <code>{location.pathname}</code>. <a href="/">What happens now</a> is at the beginning.
      </p>
    </ViewFrame>
  );
}

function Side() {
  const current = place.value.view;
  return (
    <header class="side">
      <a class="brand" href="/" aria-label="Koor, what happens now">
        <Mark />
        <span>Koor</span>
      </a>
      <nav aria-label="Views">
        {views.map((view) => (
          <a
            key={view}
            href={pathOf(view)}
            title={answers[view]}
            aria-current={view === current ? "page" : undefined}
          >
            <Icon name={view} />
            {titles[view]}
            {view === "rules" && <Proposed />}
          </a>
        ))}
      </nav>
      <div class="side-foot">
        <Connection />
        <div class="side-tools">
          <button
            type="button"
            class="quiet"
            aria-label={`Colours: ${theme.value}; change them`}
            title={`Colours: ${theme.value}`}
            onClick={nextTheme}
          >
            <Icon name={theme.value} />
          </button>
          <button
            type="button"
            class="quiet"
            aria-label="Help"
            title="Help (?)"
            onClick={() => {
              helpOpen.value = true;
            }}
          >
            <Icon name="help" />
          </button>
          {session.value === "open" && (
            <button type="button" class="quiet" onClick={logOut}>
              Log out
            </button>
          )}
        </div>
      </div>
    </header>
  );
}

/** How many rules wait for a person to say yes or no. */
function Proposed() {
  const rules = proposed.use() ?? [];
  if (rules.length === 0) return null;
  return (
    <small class="todo" title={`${count(rules.length, "rule")} proposed: accept or reject`}>
      {showShort(rules.length)}
    </small>
  );
}

const words = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Live, by asking again",
  waiting: "Disconnected",
} as const;

function Connection() {
  const state = connection.value;
  const server = health.use();
  about.use();
  return (
    <p class="connection" role="status" data-connection={state}>
      <span>{words[state]}</span>
      {server && state !== "waiting" && (
        <small title={`The server has been up for ${server.uptime} when this page asked`}>
          {server.version}
        </small>
      )}
    </p>
  );
}

function Help() {
  if (!helpOpen.value) return null;
  const close = () => {
    helpOpen.value = false;
  };
  return (
    <Dialog title="Help" onClose={close}>
      <dl class="tasks">
        {tasks.map(([question, path, view, then]) => (
          <div key={question}>
            <dt>{question}</dt>
            <dd>
              <a href={path} onClick={close}>
                {view}
              </a>{" "}
              {then}
            </dd>
          </div>
        ))}
      </dl>
      <h3>Views</h3>
      <dl class="keys">
        {views.map((view, index) => (
          <div key={view}>
            <dt>
              <kbd>{index + 1}</kbd>
            </dt>
            <dd>
              <a href={pathOf(view)} onClick={close}>
                {titles[view]}
              </a>{" "}
              <span class="soft">{answers[view]}</span>
            </dd>
          </div>
        ))}
      </dl>
      <h3>Keys</h3>
      <dl class="keys">
        {shortcuts.map(([keys, meaning]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
