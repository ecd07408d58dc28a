// Asks AsyncAPI's own parser about each document that is named; prints what it finds, fails on an error.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const ERROR = 0; // of the parser's severities 0 to 3
let failed = false;
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
  for (const { severity, path, message } of diagnostics) {
    console.log(`${severity === ERROR ? "error" : "note"}: ${path.join("/")}: ${message}`);
  }
  const errors = diagnostics.filter(({ severity }) => severity === ERROR).length;
  failed ||= document === undefined || errors > 0;
  console.log(`${file}: ${document ? `AsyncAPI ${document.version()}` : "refused"}, ${errors} errors`);
}
process.exit(failed ? 1 : 0);
