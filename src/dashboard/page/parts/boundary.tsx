import type { ComponentChildren } from "preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { faultText } from "../server.ts";

/** What cannot be drawn takes nothing else of the page with it. @param of what is drawn; of something else it is tried */
export function Boundary({ of, children }: { of: string; children: ComponentChildren }) {
  const [error, again] = useErrorBoundary();
  useEffect(again, [of]);
  if (error === undefined) return <>{children}</>;
  return (
    <div class="panel empty" role="alert">
      <p>This cannot be shown here: {faultText(error)}</p>
      <button type="button" class="quiet" onClick={again}>
        Try again
      </button>
    </div>
  );
}
