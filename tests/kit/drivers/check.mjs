// Puts each case that comes on standard input, a line of JSON, to docs/kit/check.mjs; answers a line each.
import assert from "node:assert";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Arrivals, check, checkBody } = await import(pathToFileURL(`${process.argv[2]}/check.mjs`));

const arrivals = new Arrivals();

function answer({ headers, body, content, secrets, public_keys: publicKeys, now, simple, take }) {
  const bytes = Buffer.from(body, "base64");
  if (simple) {
    checkBody(headers, bytes, { secrets });
    return "genuine";
  }
  const unpacked = check(headers, bytes, { secrets, publicKeys, now });
  assert.deepEqual(unpacked, Buffer.from(content, "base64"));
  return take ? arrivals.take(headers) : "genuine";
}

for await (const line of createInterface({ input: process.stdin })) {
  let told;
  try {
    told = answer(JSON.parse(line));
  } catch (refused) {
    if (refused instanceof assert.AssertionError) throw refused;
    told = `refused: ${refused.message}`;
  }
  console.log(told);
}
