import { signal } from "@preact/signals";
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { onForget } from "../live/connection.ts";
import { faultText } from "../server.ts";
import { Icon } from "./icon.tsx";
import { Lost } from "./lost.tsx";
import { Fault } from "./panel.tsx";

/** A window over the page: the browser's own dialog, which keeps the focus and ends with Escape. */

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  /** Whether it holds something typed that would be lost: then it asks before it closes. */
  unsaved?: boolean;
  children: ComponentChildren;
}

/** How whatever is in a window leaves it. */
const Leave = createContext(() => {});

/** Closes the window that it is in, and asks first if something typed would be lost. */
export function Cancel() {
  return (
    <button type="button" class="quiet" onClick={useContext(Leave)}>
      Cancel
    </button>
  );
}

export function Dialog({ title, onClose, wide = false, unsaved = false, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const pressedBeside = useRef(false);
  const [asking, setAsking] = useState(false);
  const leave = () => (unsaved ? setAsking(true) : element.current?.close());
  useEffect(() => {
    if (!element.current?.open) element.current?.showModal();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : undefined}
      aria-labelledby="dialog-title"
      onClose={onClose}
      onCancel={(event) => {
        if (!unsaved) return;
        event.preventDefault();
        setAsking(true);
      }}
      onKeyDown={(event) => {
        // A browser lets the second Escape through, whatever is said to `cancel`.
        if (event.key !== "Escape" || !unsaved) return;
        event.preventDefault();
        setAsking(true);
      }}
      // A text that is selected from within and let go beside the window is no click beside it.
      onPointerDown={(event) => {
        pressedBeside.current = event.target === element.current;
      }}
      onClick={(event) => event.target === element.current && pressedBeside.current && leave()}
    >
      <div class="dialog">
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="quiet" aria-label="Close" onClick={leave}>
            <Icon name="close" />
          </button>
        </header>
        {asking && unsaved && (
          <p class="unsaved" role="alert">
            What you typed is not saved.{" "}
            <button type="button" class="danger" onClick={() => element.current?.close()}>
              Discard it
            </button>{" "}
            <button type="button" class="quiet" onClick={() => setAsking(false)}>
              Go on
            </button>
          </p>
        )}
        <Lost />
        <Leave.Provider value={leave}>{children}</Leave.Provider>
      </div>
    </dialog>
  );
}

interface Question {
  title: string;
  text: ComponentChildren;
  /** What it is done to. */
  about?: ComponentChildren;
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
    // Closed meanwhile, it may be another question that is asked.
    const ifAsked = (then: () => void) => () => question.peek() === asked && then();
    asked
      .act()
      .then(ifAsked(close), (error: unknown) => ifAsked(() => setFault(faultText(error)))())
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={asked.title} onClose={close}>
      {asked.about}
      <p>{asked.text}</p>
      <Fault text={fault} />
      <footer>
        <Cancel />
        <button type="button" class={asked.danger ? "danger" : undefined} disabled={busy} onClick={act}>
          {asked.verb}
        </button>
      </footer>
    </Dialog>
  );
}
