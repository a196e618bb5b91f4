import type { ComponentChildren } from "preact";
import { metrics, now } from "./live.ts";
import { apiAddress, showAge, showCommand } from "./show.ts";

/** What the parts of the page have in common. */

interface PanelProps {
  id: string;
  title: string;
  /** Beside the title: how many there are. */
  count?: string | undefined;
  /** Whether its content has a scroll bar of its own on large screens. */
  scrolls?: boolean;
  children: ComponentChildren;
}

export function Panel({ id, title, count, scrolls = false, children }: PanelProps) {
  const heading = `${id}-title`;
  return (
    <section class="panel" id={id} aria-labelledby={heading}>
      <h2 id={heading}>
        {title}
        {count !== undefined && <span class="count">{count}</span>}
      </h2>
      {scrolls ? (
        // In the order of the Tab key, so that the arrow keys scroll it.
        <div class="scroll" role="group" aria-labelledby={heading} tabIndex={0}>
          {children}
        </div>
      ) : (
        children
      )}
    </section>
  );
}

/** How long ago; the exact time on hover. */
export function Age({ at }: { at: string }) {
  return (
    <time dateTime={at} title={new Date(at).toLocaleString()}>
      {showAge(now.value - Date.parse(at))}
    </time>
  );
}

/** What to type where there is nothing to see yet. */
export function Empty({ children, command }: { children: ComponentChildren; command: string }) {
  return (
    <div class="empty">
      <p>{children}</p>
      <code>{command}</code>
    </div>
  );
}

/** A command of koor-cli that works as it stands. */
export function cli(command: string): string {
  return showCommand(`koor-cli ${command}`, apiAddress(metrics.value?.api_bind ?? "", location.hostname));
}

export function Loading() {
  return <p class="loading">…</p>;
}
