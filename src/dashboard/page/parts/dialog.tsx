import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { onForget } from "../live/connection.ts";
import { faultText } from "../server.ts";
import { Icon } from "./icon.tsx";
import { Fault } from "./panel.tsx";

/** A window over the page: the browser's own dialog, which keeps the focus and ends with Escape. */

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, wide = false, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!element.current?.open) element.current?.showModal();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : undefined}
      aria-labelledby="dialog-title"
      onClose={onClose}
      onClick={(event) => event.target === element.current && element.current?.close()}
    >
      <div class="dialog">
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="quiet" aria-label="Close" onClick={() => element.current?.close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  text: ComponentChildren;
  /** The button's word: what is about to be done. */
  verb: string;
  danger?: boolean;
  act: () => Promise<unknown>;
}

const question = signal<Question | undefined>(undefined);

onForget(() => {
  question.value = undefined;
});

/** Asks before something is done that others will notice. */
export function confirm(asked: Question): void {
  question.value = asked;
}

/** Where questions are asked; once in the page. */
export function Confirmation() {
  const asked = question.value;
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  if (!asked) return null;
  const close = () => {
    question.value = undefined;
    setFault("");
  };
  const act = () => {
    setBusy(true);
    asked
      .act()
      .then(close, (error: unknown) => setFault(faultText(error)))
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={asked.title} onClose={close}>
      <p>{asked.text}</p>
      <Fault text={fault} />
      <footer>
        <button type="button" class="quiet" onClick={close}>
          Cancel
        </button>
        <button type="button" class={asked.danger ? "danger" : undefined} disabled={busy} onClick={act}>
          {asked.verb}
        </button>
      </footer>
    </Dialog>
  );
}
