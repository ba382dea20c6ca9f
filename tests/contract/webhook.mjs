// webhook.mjs: reads {secret, headers, body} from standard input; exits 1 where the package that receivers use doesn't
// take the webhook for genuine.

import { readFileSync } from "node:fs";

import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
try {
  new Webhook(secret).verify(body, headers);
} catch (error) {
  console.log(error.message);
  process.exit(1);
}
