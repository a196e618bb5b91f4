import { effect, signal } from "@preact/signals";

/** Light or dark: as the system says, unless somebody chose. */
export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const kept = "koor-theme";

export const theme = signal<Theme>("system");

export function beginTheme(): void {
  // A browser may keep nothing for a page; then the choice lasts as long as the page.
  try {
    theme.value = themes.find((name) => name === localStorage.getItem(kept)) ?? "system";
  } catch {}
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
    try {
      localStorage.setItem(kept, theme.value);
    } catch {}
  });
}

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] as Theme;
}
