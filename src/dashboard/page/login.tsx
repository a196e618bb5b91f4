import { useState } from "preact/hooks";
import { loggedIn, loggedOut } from "./live/connection.ts";
import { Mark } from "./parts/mark.tsx";
import { connectionFailure, refusal } from "./server.ts";

/** Asks for the server's token, once: the server answers with a cookie that no script can read. */
export function Login() {
  const [token, setToken] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault("");
    logIn(token)
      .catch((error: Error) => setFault(error.message))
      .finally(() => setBusy(false));
  };

  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>
          <Mark /> Koor
        </h1>
        <p id="login-why">
          This server has a token. It is what the server was started with: <code>KOOR_AUTH_TOKEN</code> or{" "}
          <code>--auth-token</code>.
        </p>
        {/* Password managers file the token under this name. */}
        <input type="text" autocomplete="username" value="koor" hidden readOnly />
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          aria-describedby="login-why"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" disabled={busy}>
          {busy ? "One moment…" : "Log in"}
        </button>
        <p role="alert" class="fault">
          {fault}
        </p>
      </form>
    </main>
  );
}

async function logIn(token: string): Promise<void> {
  const response = await send("/login", { token: token.trim() });
  // Started again without a token: there is nothing to log in to.
  if (response.status === 404) return location.reload();
  if (!response.ok) throw await refusal(response, location.origin);
  loggedIn();
}

/** Ends the session, on the server first: a page that only looks logged out would be worse than none. */
export function logOut(): void {
  send("/logout", {}).then(loggedOut, () => {
    // Nobody answers, which the page says already. Still logged in.
  });
}

/** Not operations of the API: they exist on the dashboard's port only. */
function send(path: string, body: unknown): Promise<Response> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  return fetch(path, init).catch((cause: unknown) => {
    throw connectionFailure(cause, location.origin, "read");
  });
}
