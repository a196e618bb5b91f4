/**
 * The built-in checks that a `custom` rule names in its pattern, as the patterns they stand for.
 * No prototype, so that a rule named `constructor` is no check.
 */
const checks: Record<string, string> = Object.assign(Object.create(null), {
  "no-console-log": String.raw`console\.log\(`,
});

/**
 * The regular expression that a rule runs: that of the check which a `custom` rule names, else its own pattern.
 * The name of no check is taken as a regular expression, which is what rule sets in use expect.
 */
export function expressionOf(rule: { match_type: "regex" | "missing" | "custom"; pattern: string }): string {
  return (rule.match_type === "custom" && checks[rule.pattern]) || rule.pattern;
}
