// check.mjs DOCUMENT ANSWERS: prints a line for each thing that is wrong, and exits 1 where there is one.
//
// DOCUMENT is a server's /openapi.json; it must be OpenAPI 3.1. ANSWERS is a list of {what, schema, value}: each value
// must fit the schema, a pointer into the document.

import { readFileSync } from "node:fs";

import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const [document, answers] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
const wrong = [];

const validator = new Validator();
const result = await validator.validate(structuredClone(document));
if (!result.valid) wrong.push(`the document is not OpenAPI: ${JSON.stringify(result.errors)}`);
if (validator.version !== "3.1") wrong.push(`the document is OpenAPI ${validator.version}, not 3.1`);

// OpenAPI's own words beside those of JSON Schema, and the formats of 64-bit integers, which travel as strings.
const ajv = new Ajv2020.default({ allErrors: true, strict: true, strictTypes: false });
addFormats.default(ajv);
ajv.addFormat("int64", true);
ajv.addFormat("uint64", /^[0-9]+$/);
ajv.addSchema({ $id: "openapi", components: document.components });
ajv.addVocabulary(["components"]);

// Each schema must be one, whether or not an answer has it.
for (const name of Object.keys(document.components.schemas)) {
  try {
    ajv.compile({ $ref: `openapi#/components/schemas/${name}` });
  } catch (error) {
    wrong.push(`the schema ${name}: ${error.message}`);
  }
}

for (const { what, schema, value } of answers) {
  const fits = ajv.compile({ $ref: `openapi${schema}` });
  if (!fits(value)) wrong.push(`${what} is no ${schema}: ${ajv.errorsText(fits.errors)}`);
}

for (const line of wrong) console.log(line);
process.exit(wrong.length > 0 ? 1 : 0);
