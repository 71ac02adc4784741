// Puts each case that comes on standard input, a line of JSON, to a library of npm; answers a line each.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [, , folder, library] = process.argv;
const { Webhook } = createRequire(`${folder}/package.json`)(library);

for await (const line of createInterface({ input: process.stdin })) {
  const { headers, body, secrets } = JSON.parse(line);
  try {
    new Webhook(secrets[0]).verify(Buffer.from(body, "base64"), headers);
    console.log("genuine");
  } catch (refused) {
    console.log(`refused: ${refused.message}`);
  }
}
