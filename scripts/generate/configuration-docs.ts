import { type Option, settingName, variableName } from "../../src/config.ts";
import { cell, notice, table } from "./markdown.ts";

/** docs/configuration.md: every option of koor-server. */
export function configurationDocs(options: readonly Option[]): string {
  return [
    "# Configuration of koor-server",
    notice,
    "Flags win over `KOOR_*` variables, variables over `settings.json` (or the file that `--config` names), the file over defaults. " +
      "A bad value is refused at the start. `settings.json` is shared with koor-cli, whose `server` and `token` are legal there.",
    table(
      ["Flag", "Variable", "Setting", "Default", "Allowed", "What it does"],
      options.map((option) => [
        `\`--${option.name}${option.value ? ` ${option.value}` : ""}\``,
        `\`${variableName(option)}\``,
        `\`${settingName(option)}\``,
        option.default === "" ? "(empty)" : `\`${option.default}\``,
        cell(option.allowed),
        cell(option.summary),
      ]),
    ),
  ].join("\n\n");
}
