import { render } from "preact";
import { App } from "./app.tsx";
import { beginKeyboard } from "./keyboard.ts";
import { beginClock } from "./live/clock.ts";
import { connect, reconnect, session } from "./live/connection.ts";
import { beginLeases } from "./live/leases.ts";
import { beginSilence } from "./live/silence.ts";
import { beginRouting } from "./router.ts";
import { beginTheme } from "./theme.ts";

session.value = (document.body.dataset["session"] ?? "none") as typeof session.value;
beginTheme();
beginRouting();
beginKeyboard();
beginClock(reconnect);
beginSilence();
beginLeases();
render(<App />, document.getElementById("page") as HTMLElement);
if (session.value !== "needed") connect();
