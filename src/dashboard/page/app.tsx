import { Events } from "./events.tsx";
import { Health } from "./health.tsx";
import { Instances } from "./instances.tsx";
import { Ledger } from "./ledger.tsx";
import { connection, now, refreshedAt, session } from "./live.ts";
import { Login, logOut } from "./login.tsx";
import { Mark } from "./mark.tsx";
import { showAge, showClock } from "./show.ts";
import { State } from "./state.tsx";

/** The whole page. */
export function App() {
  if (session.value === "needed") return <Login />;
  return (
    <>
      <header class="top">
        <h1>
          <Mark /> Koor
        </h1>
        <Connection />
        {session.value === "open" && (
          <button type="button" class="quiet" onClick={logOut}>
            Log out
          </button>
        )}
      </header>
      <Lost />
      <main>
        <Health />
        <Ledger />
        <Instances />
        <Events />
        <State />
      </main>
    </>
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
  return (
    <p class="connection" role="status" data-connection={state}>
      {words[state]}
    </p>
  );
}

/** Says that what is shown is old, and that nothing needs to be done about it. */
function Lost() {
  if (connection.value !== "waiting") return null;
  const at = refreshedAt.value;
  return (
    <p class="lost" role="alert">
      <strong>The server does not answer.</strong> This page keeps trying, and misses no event.
      {at > 0 && (
        <span class="asof">
          {" "}
          What you see is from {showClock(new Date(at), new Date(now.value))} ({showAge(now.value - at)} ago).
        </span>
      )}
    </p>
  );
}
