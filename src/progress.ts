/** Cells of the bar. */
const cells = 30;

/** Where progress is shown: stderr, or what stands for it in a test. */
export interface Terminal {
  isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows how far long work is: on a terminal as a bar that is drawn anew, elsewhere as a line for each tenth.
 *
 * @returns to be told what is done now, and how many of how many parts of it are
 */
export function progressOn(terminal: Terminal) {
  const { isTTY } = terminal;
  const steps = isTTY ? 100 : 10;
  let shown = "";
  return (doing: string, done: number, all: number): void => {
    const share = all === 0 ? 1 : Math.min(1, done / all);
    const step = Math.floor(share * steps);
    if (shown === `${doing} ${step}`) return;
    shown = `${doing} ${step}`;
    const percent = `${Math.floor((step * 100) / steps)}%`.padStart(4);
    const filled = Math.floor(share * cells);
    const bar = `[${"#".repeat(filled)}${" ".repeat(cells - filled)}]`;
    terminal.write(
      isTTY ? `\r\u001b[K${doing} ${bar}${percent}${share === 1 ? "\n" : ""}` : `${doing}:${percent}\n`,
    );
  };
}
