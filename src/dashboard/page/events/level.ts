/** What a topic tells of, by its words. Pure. */

const failure =
  /^(fail(s|ed|ure|ures|ing)?|errors?|errored|broken?|crash(ed)?|refus(ed|al)|denied|rejected|forbidden|violations?|conflicts?|exceeded|timeout|aborted|lost|disabled)$/i;
const warning = /^(warn(ing|ings|ed)?|stale|degraded|expired|retry|retrying)$/i;

/** Whether somebody should look at it: topics are anybody's, and their last part says how it went. */
export function levelOf(topic: string): "failure" | "warning" | undefined {
  const words = (topic.split(/[./:]/).at(-1) ?? "").split(/[^a-z]+/i);
  if (words.some((word) => failure.test(word))) return "failure";
  return words.some((word) => warning.test(word)) ? "warning" : undefined;
}
