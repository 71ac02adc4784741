// A receiver of one's own: checks deliveries, keeps each once, as a line of JSON that `auditcast verify` reads.
// WEBHOOK_SECRET=whsec_… node receiver.mjs HOST PORT CERTIFICATE KEY FILE. Node 18 or newer, and check.mjs beside it.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { createServer } from "node:https";
import { Arrivals, Refused, check } from "./check.mjs";

const [host, port, certificate, key, file] = process.argv.slice(2);
const secrets = process.env.WEBHOOK_SECRET.split(" "); // two, with a space between, if you rotate it yourself
const arrivals = new Arrivals();
const before = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
const whole = before.subarray(0, before.lastIndexOf(10) + 1); // a line that a crash cut off was never acknowledged
if (whole.length < before.length) truncateSync(file, whole.length);
for (const line of whole.toString().split("\n")) if (line) arrivals.take(JSON.parse(line).headers);

/** Returns once it is on the disk: a 2xx says that it never needs to be sent again. */
function keep(headers, body) {
  const known = /^(content-|webhook-|x-audit-|x-webhook-)/; // and none of your own, which may be credentials
  const line = { headers: Object.fromEntries(Object.entries(headers).filter(([name]) => known.test(name))) };
  const text = body.toString();
  if (Buffer.from(text).equals(body)) line.body = text;
  else line.body_base64 = body.toString("base64");
  const kept = openSync(file, "a");
  writeSync(kept, JSON.stringify(line) + "\n");
  fsyncSync(kept);
  closeSync(kept);
}

function receive(headers, body) {
  check(headers, body, { secrets });
  if (!arrivals.has(headers)) keep(headers, body);
  const news = arrivals.take(headers);
  if (news === "conflict") console.error(`ALARM: ${headers["webhook-id"]} contradicts what came before`);
  return news;
}

async function answer(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    chunks.push(chunk);
    if ((size += chunk.length) > 2_000_000) return [413, "too large"];
  }
  try {
    return [200, receive(request.headers, Buffer.concat(chunks))];
  } catch (error) {
    if (error instanceof Refused) return [401, error.message];
    throw error;
  }
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) =>
  answer(request).then(
    ([status, text]) => response.writeHead(status).end(text),
    (error) => response.writeHead(500).end(void console.error(error)),
  ),
);
server.listen(Number(port), host, () =>
  console.log(`https://${host}:${server.address().port} keeps deliveries in ${file}`),
);
