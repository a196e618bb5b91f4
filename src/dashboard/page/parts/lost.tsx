import { now } from "../live/clock.ts";
import { connection, inTouchAt } from "../live/connection.ts";
import { showAge, showClock } from "./show.ts";

/** Says that what is shown is old, and that nothing needs to be done about it. */
export function Lost() {
  if (connection.value !== "waiting") return null;
  const at = inTouchAt.value;
  return (
    <p class="lost">
      <span role="alert">
        <strong>The server does not answer.</strong> This page keeps trying, and misses no event.
      </span>
      {at > 0 && (
        <span class="asof">
          {" "}
          What you see is from {showClock(new Date(at), new Date(now.value))} ({showAge(now.value - at)} ago).
        </span>
      )}
    </p>
  );
}
