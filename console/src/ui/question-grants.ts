/** What "allow until this run ends" allows, in words. Pure. */

import { asFields, asList, asText, asWord, type Fields } from "../conversation/fields";

/** The suggestions that the gateway passes on, as it chooses them: rules and folders, else the mode.
 *  `command` is what the question shows. */
export function grantsOf(suggestions: readonly unknown[], command = ""): string[] {
  const known = suggestions.map(asFields);
  const grants = known
    .filter((each) => each.behavior === undefined || each.behavior === "allow")
    .flatMap((each) => grantWords(each, command));
  const acceptsEdits = known.some(
    (each) => each.type === "setMode" && each.destination === "session" && each.mode === "acceptEdits",
  );
  if (grants.length > 0 || !acceptsEdits) return grants;
  return ["edit files without a question"];
}

function grantWords(suggestion: Fields, command: string): string[] {
  if (suggestion.type === "addRules") {
    return asList(suggestion.rules).map((each) => {
      const rule = asFields(each);
      const content = asText(rule.ruleContent);
      const tool = asText(rule.toolName);
      if (content === "") return `use ${tool} for anything`;
      return content.trim() === command.trim() ? `use ${tool} for exactly this` : `use ${tool} for ${content}`;
    });
  }
  if (suggestion.type === "addDirectories") {
    return asList(suggestion.directories).map((each) => `work in ${asWord(each)}`);
  }
  return [];
}
