#!/usr/bin/env node
// Verifies what a receiver kept of auditcast's deliveries, as docs/verifying.md says. Node 20 or newer, nothing else.
//
//   node verify.mjs [options] FILE        FILE has JSON lines, in the order of arrival; - is standard input
//     --manifests FILE    JSON lines, beside the manifests that were delivered
//     --public-key KEY    whpk_…, may be repeated: whose manifests count
//     --from SEQUENCE     the first batch that should be here
//     --until TIME        until when the end is to be proved, as in 2025-11-21T04:00:00Z
//     --destination ID    whose batches these should be
//     --format FORMAT     of bodies and events that were kept without headers (cloudevents/2), as in ndjson/1
//     --json              the findings as JSON
//
// The secrets are in the environment: WEBHOOK_SECRET='whsec_… whsec_…'. Without, signatures are not looked at.
// Exit code: 0 complete and genuine, 1 something is missing, 2 something is not as it was sent, 3 cannot tell.
import { createHash, createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { createReadStream, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";

const FIRST = "0".repeat(64);
const HOUR_MS = 3_600_000;
const MOST_LINE = 64 * 1024 * 1024;
const NOWHERE = 0; // the sequence of what says none
const EXITS = {
  ...{ missing: 1, incomplete: 1, unproved: 1, unattested: 1, "manifest-missing": 1 },
  ...{ altered: 2, unsigned: 2, forged: 2, contradiction: 2, broken: 2, misnumbered: 2, foreign: 2, unplaced: 2 },
  ...{ "manifest-forged": 2, "manifest-contradiction": 2, "unlike-manifest": 2 },
  ...{ unreadable: 3, unverifiable: 3, nothing: 3 },
};
const ARRAY = { head: "[", separator: ",", tail: "]" };
const LINES = { head: "", separator: "\n", tail: "\n" };
/** How bodies are made of pieces, one for each event: what the head ends with, what is between them, and the tail. */
export const PIECES = {
  ...{ cloudevents: ARRAY, axiom: ARRAY, datadog: ARRAY, ocsf: ARRAY, ndjson: LINES },
  ...{ elastic: { ...LINES, lines: 2 }, splunk: { ...LINES, tail: "" } },
  ...{ loki: { ...ARRAY, head: '"values":[', tail: "]}]}" }, newrelic: { ...ARRAY, head: '"logs":[', tail: "]}]" } },
};

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const lines = (...all) => all.map((line) => `${line}\n`).join("");
const destinationOf = (stream) => stream.split("-").slice(0, -2).join("-");
const isNumber = (text) => /^[0-9]{1,15}$/.test(text);
const NUMBER = "[1-9][0-9]{0,14}";
const RULES = {
  stream: /^[A-Za-z0-9_-]{1,128}$/,
  events: new RegExp(`^${NUMBER}-${NUMBER}$`),
  opened: new RegExp(`^(0|${NUMBER})$`),
  format: /^[!-~]{1,64}$/,
  gap: new RegExp(`^(-|(0|${NUMBER})-(0|${NUMBER}))$`),
  previous: /^[0-9a-f]{64}$/,
  digest: /^[0-9a-f]{64}$/,
};
const largest = (all) => all.reduce((one, other) => (other > one ? other : one), 0);
const numbers = (text) => (/^[0-9]{1,15}-[0-9]{1,15}$/.test(text ?? "") ? text.split("-").map(Number) : [NaN, NaN]);

/** The digest of a batch, in hex. */
function digestOf({ stream, sequence, events, opened, format, gap, previous }, bodySha256) {
  const place = [stream, sequence, events, opened, format, bodySha256, gap, previous];
  return sha256(lines("auditcast-chain-v1", ...place));
}

/**
 * What is wrong with a delivery's signatures; undefined if nothing is, or if nobody can tell.
 *
 * Each kind that is here and that a key was given for must be right; with secrets, there must be one.
 */
function signatureFault(headers, body, secrets, publicKeys) {
  const given = (headers["webhook-signature"] ?? "").split(" ").map((one) => one.split(","));
  const [symmetric, asymmetric] = ["v1", "v1a"].map((version) => given.filter((one) => one[0] === version));
  if (secrets.length && !("webhook-signature" in headers)) return "unsigned";
  const content = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  const expected = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    return createHmac("sha256", key).update(content).digest("base64");
  });
  const fits = symmetric.some(([, value]) => expected.some((one) => same(one, value ?? "")));
  const genuine = asymmetric.some(([, value]) => publicKeys.some((key) => fitsPublic(value ?? "", content, key)));
  const isForged = (secrets.length && !fits) || (publicKeys.length && asymmetric.length && !genuine);
  // Dots stand between what is signed: with one in it, the time could be the beginning of a body cut off.
  const isStamped = /^[0-9]{1,15}$/.test(headers["webhook-timestamp"] ?? "");
  return isForged || (!isStamped && isChecked(headers, secrets, publicKeys)) ? "forged" : undefined;
}

/** Whether the keys that were given say anything about a delivery. */
function isChecked(headers, secrets, publicKeys) {
  const kinds = (headers["webhook-signature"] ?? "").split(" ").map((one) => one.split(",")[0]);
  return secrets.length > 0 || (publicKeys.length > 0 && kinds.includes("v1a"));
}

function same(one, other) {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function fitsPublic(signature, content, publicKey) {
  const x = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const bytes = Buffer.from(signature, "base64");
  return bytes.toString("base64") === signature && verify(null, content, key, bytes);
}

/** A manifest's exact text, which is digested and signed. */
function textOf(manifest) {
  const notes = manifest.notes.map((note) => {
    const words = [note.kind, note.by, note.because].map(sha256).join(" ");
    return `${note.sequence} ${note.first_event}-${note.last_event} ${note.at} ${words}`;
  });
  return lines(
    "auditcast-manifest-v1",
    manifest.stream,
    `${manifest.since}-${manifest.until}`,
    `${manifest.first_sequence}-${manifest.last_sequence}`,
    `${manifest.first_event}-${manifest.last_event}`,
    manifest.opening_digest,
    manifest.closing_digest,
    manifest.final ? "final" : "open",
    manifest.notes.length,
    ...notes,
    manifest.previous,
  );
}

/** The manifest somewhere in a parsed body, of whatever format; undefined if there is none. */
function manifestIn(value) {
  if (typeof value === "string" && value.includes('"closing_digest"')) return manifestInText(value);
  if (value === null || typeof value !== "object") return undefined;
  if ("closing_digest" in value && "signature" in value) return value;
  if ("metadata.closing_digest" in value) {
    // In New Relic every member is an attribute with a name of its own.
    const flat = Object.entries(value).filter(([name]) => name.startsWith("metadata."));
    const members = Object.fromEntries(flat.map(([name, member]) => [name.slice("metadata.".length), member]));
    return { ...members, notes: JSON.parse(members.notes) };
  }
  for (const inner of Object.values(value)) {
    const found = manifestIn(inner);
    if (found) return found;
  }
  return undefined;
}

/** The same in a body, which is JSON, or lines of it. */
function manifestInText(text) {
  for (const json of [text, ...text.split("\n")]) {
    try {
      const found = manifestIn(JSON.parse(json));
      if (found) return found;
    } catch {
      // It is not all of the JSON.
    }
  }
  return undefined;
}

/** Headers by names in lower case; a name that stands there more than once is one list, says HTTP. */
function joinedHeaders(given) {
  const found = new Map();
  for (const [name, value] of Object.entries(given)) {
    const values = (Array.isArray(value) ? value : [value]).map((one) => {
      if (typeof one !== "string" && !Number.isInteger(one)) throw new TypeError("a header is text");
      return String(one);
    });
    found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), ...values]);
  }
  return Object.fromEntries([...found].map(([name, values]) => [name, [...new Set(values)].join(", ")]));
}

/** The items of a JSON array as they are written. */
function items(text) {
  const found = [];
  let [depth, start, inString] = [0, 1, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === "\\") at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if ("[{".includes(character)) depth++;
    else if ("]}".includes(character)) depth--;
    if (!inString && ((depth === 1 && character === ",") || depth === 0)) {
      found.push(text.slice(start, at));
      start = at + 1;
    }
    if (depth === 0 && !inString) break;
  }
  return found;
}

/** What a body is made of; undefined if its format is not known. */
function parts(format, body) {
  const name = format.split("/")[0];
  if (!Object.hasOwn(PIECES, name)) return undefined;
  const form = PIECES[name];
  const text = body.toString();
  const begin = text.indexOf(form.head) + form.head.length;
  const lines = () => text.slice(begin, text.length - form.tail.length).split("\n");
  const pieces = form.separator === "," ? items(text.slice(begin - 1)) : inLines(lines(), form.lines ?? 1);
  return { ...form, head: text.slice(0, begin), pieces };
}

const FIELDS = (name) => (first) => [first?.[name], "audit_", first?.[name]?.audit_event];
const EXTENSIONS = (first) => [first, "audit", first?.sequence];
const MEMBER = (first) => [first?.audit, "", first?.audit?.event];
/** By format: the members of a body's first event that tell its place, what their names begin with, its number. */
const TELLING = {
  ...{ "cloudevents/2": EXTENSIONS, "axiom/1": EXTENSIONS, "ndjson/1": EXTENSIONS },
  ...{ "datadog/1": MEMBER, "elastic/1": MEMBER, "ocsf/1": (first) => MEMBER(first?.unmapped) },
  ...{ "splunk/1": FIELDS("fields"), "loki/1": FIELDS(2) },
  "newrelic/1": (first, [block]) => [block?.common?.attributes, "audit.", first?.attributes?.["audit.event"]],
};

/** Whether the first event of a body says another place or number than the headers; one that says none does not. */
function contradicts(told, first, taken) {
  if (!taken || !Object.hasOwn(TELLING, told.format)) return false;
  let found;
  try {
    const { head, pieces, tail } = taken;
    const whole = told.format === "newrelic/1" ? JSON.parse(head + pieces[0] + tail) : [];
    found = TELLING[told.format](JSON.parse(pieces[0].split("\n").at(-1)), whole);
  } catch {
    return false;
  }
  const [members, prefix, number] = found;
  const names = { stream: told.stream, batch: told.sequence, opened: told.opened, previous: told.previous };
  if (!members || number === undefined || Object.keys(names).some((name) => !((prefix + name) in members))) return false;
  const said = (name) => String(members[prefix + name] ?? "-");
  const isOther = Object.entries({ ...names, gap: told.gap }).some(([name, value]) => said(name) !== String(value));
  return isOther || Number(number) !== first;
}

const inLines = (all, each) =>
  Array.from({ length: all.length / each }, (_, at) => all.slice(at * each, (at + 1) * each).join("\n"));

/** The SHA-256 of the body whose parts were taken apart. */
function joined(all) {
  const [{ head, separator, tail }] = all;
  return sha256(head + all.flatMap(({ pieces }) => pieces).join(separator) + tail);
}

/** Whether events from number `first` on are the very ones of a batch. */
function isWithin(whole, first, marks) {
  return marks.every((mark, at) => whole.marks[first - whole.first + at] === mark);
}

/** Whether an event says in the platform's form where it stands. */
function isPlaced(event) {
  const { auditstream: stream, auditopened: opened, auditgap: gap = "-", auditprevious: previous } = event;
  const told = { stream, opened, gap, previous };
  const isTold = Object.entries(told).every(([name, value]) => typeof value === "string" && RULES[name].test(value));
  return isTold && event.auditbatch > 0 && Number.isSafeInteger(event.auditbatch) && /^[0-9]{20}$/.test(event.sequence);
}

/** All that is known of one stream. */
class Stream {
  batches = new Map(); // by sequence: the first good copy
  bad = new Map(); // by sequence: what bad copies were
  parts = new Map(); // by sequence: what came in parts
  loose = new Map(); // by sequence: single events, of who keeps no headers
  repeated = new Map();
  late = new Set();
  manifests = new Map(); // by digest: those that are genuine, or may be if no key is known
  highest = 0;

  constructor(name) {
    this.name = name;
  }

  get isHere() {
    return this.batches.size + this.parts.size + this.loose.size > 0;
  }
}

export class Verifier {
  #findings = [];
  #streams = new Map();
  #counts = { test: 0, unplaced: 0, unreadable: 0, unverifiable: 0 };
  #foreign = new Map();
  #anyManifest = false;

  /** `until` in ms since 1970. */
  constructor({ secrets = [], publicKeys = [], from = 1, until, destination, format = "cloudevents/2" } = {}) {
    Object.assign(this, { secrets, publicKeys, from, until, destination, format });
  }

  #stream(name) {
    if (!this.#streams.has(name)) this.#streams.set(name, new Stream(name));
    return this.#streams.get(name);
  }

  #find(kind, fields) {
    this.#findings.push({ kind, ...fields });
  }

  /** One line of what was kept (a Buffer): a delivery with its headers, a body, or an event. */
  take(line) {
    let kept;
    try {
      kept = JSON.parse(line.toString());
    } catch {
      this.#counts.unreadable++;
      return;
    }
    try {
      if (kept?.headers && typeof kept.headers === "object") {
        const body = "body_base64" in kept ? Buffer.from(kept.body_base64, "base64") : Buffer.from(kept.body ?? "");
        this.#takeDelivery(joinedHeaders(kept.headers), body);
      } else if (Array.isArray(kept)) this.#takeEvents(items(line.toString()));
      else if (kept && typeof kept === "object") this.#takeEvents([line.toString()]);
      else this.#counts.unreadable++;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#counts.unreadable++; // something in it is not of the type that it should be
    }
  }

  #takeDelivery(headers, sent) {
    let body = sent;
    try {
      if (headers["content-encoding"] === "gzip") body = gunzipSync(sent);
    } catch {
      body = Buffer.alloc(0); // whatever it was, its digest will be another
    }
    const [stream, sequence] = [headers["x-audit-stream"], headers["x-audit-sequence"]];
    const unsigned = signatureFault(headers, sent, this.secrets, this.publicKeys);
    if (stream === undefined) this.#takePlaceless(headers, body, unsigned);
    else if (this.#isForeign(stream)) this.#addForeign(stream);
    else if ("x-audit-manifest" in headers) this.#takeManifestDelivery(headers, body, unsigned);
    else if (!isNumber(sequence) || !Number(sequence)) this.#addBad(this.#stream(stream), NOWHERE, "altered");
    else this.#takeBatch(this.#stream(stream), Number(sequence), headers, body, unsigned);
  }

  #takePlaceless(headers, body, unsigned) {
    if (unsigned) this.#find(unsigned, {});
    else if ((headers["webhook-id"] ?? "").startsWith("test-")) this.#counts.test++;
    else this.#takeBody(body);
  }

  #takeManifestDelivery(headers, body, unsigned) {
    const manifest = manifestInText(body.toString());
    const { digest, previous, stream, until } = manifest ?? {};
    const about = { stream: headers["x-audit-stream"], ...(manifest ? { until } : {}) };
    if (unsigned) this.#find(unsigned, about);
    const meant = {
      ...{ "x-audit-manifest": digest, "x-audit-previous-manifest": previous, "x-audit-stream": stream },
      "webhook-id": `${stream}-manifest-${until}`,
    };
    const isTold = Object.entries(meant).every(([name, value]) => (headers[name] ?? value) === value);
    // In a format for people there is none to be found, and a signature has to do.
    const isForPeople = !manifest && !unsigned && this.secrets.length > 0;
    if (!isTold && !isForPeople) this.#find("manifest-forged", about);
    if (manifest) this.addManifest(manifest);
  }

  #isForeign(stream) {
    return this.destination !== undefined && destinationOf(stream) !== this.destination;
  }

  #addForeign(stream) {
    this.#foreign.set(stream, (this.#foreign.get(stream) ?? 0) + 1);
  }

  /** Without headers that say where it belongs, the events themselves may. */
  #takeBody(body) {
    try {
      if (Array.isArray(JSON.parse(body.toString()))) {
        this.#takeEvents(items(body.toString()));
        return;
      }
    } catch {
      // It is no list of events.
    }
    this.#counts.unplaced++;
  }

  #takeBatch(stream, sequence, headers, body, unsigned) {
    const [numbersOfPart, parent] = (headers["x-audit-part"] ?? "").split("; parent=");
    const told = {
      ...{ stream: stream.name, sequence, events: headers["x-audit-events"], opened: headers["x-audit-opened"] },
      ...{ format: headers["x-audit-format"], gap: headers["x-audit-gap"] },
      ...{ previous: headers["x-audit-previous-digest"], digest: headers["x-audit-digest"] },
    };
    const id = `${stream.name}-${sequence}` + (numbersOfPart ? `-${numbersOfPart}` : "");
    const [first, last] = numbers(told.events);
    const range = numbersOfPart ? numbers(numbersOfPart) : [first, last];
    const isFormed =
      Object.entries(RULES).every(([name, rule]) => rule.test(told[name] ?? "")) &&
      (!("x-audit-part" in headers) || /^[0-9a-f]{64}$/.test(parent ?? "")) &&
      [first, ...range, last].every((number, at, all) => !at || number >= all[at - 1]);
    const taken = parts(told.format ?? "", body);
    const pieces = taken?.pieces;
    let fault;
    if (!isFormed || digestOf(told, parent ?? sha256(body)) !== told.digest) fault = "altered";
    else if ("webhook-id" in headers && headers["webhook-id"] !== id) fault = "altered";
    else if (contradicts(told, range[0], taken)) fault = "altered";
    else if (unsigned) fault = unsigned;
    else if (pieces && pieces.length !== range[1] - range[0] + 1) fault = "misnumbered";
    if (fault) {
      this.#addBad(stream, sequence, fault);
      return;
    }
    const signed = isChecked(headers, this.secrets, this.publicKeys);
    const batch = { ...told, first, last, opened: Number(told.opened), signed };
    const marks = (pieces ?? []).map((piece) => sha256(piece).slice(0, 16));
    if (numbersOfPart) this.#addPart(stream, batch, range, parent, body, marks);
    else this.#addBatch(stream, { ...batch, marks });
  }

  #addBad(stream, sequence, fault) {
    stream.bad.set(sequence, [...(stream.bad.get(sequence) ?? []), fault]);
  }

  #arrived(stream, sequence) {
    if (sequence < stream.highest) stream.late.add(sequence);
    stream.highest = Math.max(stream.highest, sequence);
  }

  #addBatch(stream, batch) {
    const here = stream.batches.get(batch.sequence);
    if (!here) {
      if (!stream.parts.has(batch.sequence)) this.#arrived(stream, batch.sequence);
      stream.batches.set(batch.sequence, batch);
    } else if (here.digest === batch.digest) {
      here.signed ||= batch.signed;
      this.#repeat(stream, batch.sequence, 1);
    } else this.#addBad(stream, batch.sequence, "contradiction");
  }

  #repeat(stream, sequence, times) {
    if (times) stream.repeated.set(sequence, (stream.repeated.get(sequence) ?? 0) + times);
  }

  #addPart(stream, batch, [first, last], parent, body, marks) {
    const [whole, known] = [stream.batches.get(batch.sequence), stream.parts.get(batch.sequence)];
    if ((whole ?? known?.batch ?? batch).digest !== batch.digest || (whole && !isWithin(whole, first, marks))) {
      this.#addBad(stream, batch.sequence, "contradiction");
    } else if (whole || known?.ranges.some((one) => one.first === first && one.last === last)) {
      this.#repeat(stream, batch.sequence, 1);
    } else {
      if (!known) {
        this.#arrived(stream, batch.sequence);
        stream.parts.set(batch.sequence, { batch, parent, ranges: [] });
      }
      stream.parts.get(batch.sequence).ranges.push({ first, last, body, marks });
      stream.parts.get(batch.sequence).batch.signed &&= batch.signed;
    }
  }

  #takeEvents(texts) {
    for (const text of texts) {
      const event = JSON.parse(text);
      const isOne = event !== null && typeof event === "object" && typeof event.auditbatch !== "object";
      if (!isOne) this.#counts.unreadable++;
      else if (typeof event.type === "string" && event.type.endsWith(".auditcast.manifest")) {
        this.addManifest(manifestIn(event));
      } else if (event?.auditstream === "" || String(event?.type).endsWith(".auditcast.test")) {
        this.#counts.test++;
      } else if (!isPlaced(event)) {
        this.#counts.unplaced++;
      } else if (this.#isForeign(event.auditstream)) {
        this.#addForeign(event.auditstream);
      } else this.#addEvent(this.#stream(event.auditstream), event, text);
    }
  }

  #addEvent(stream, event, text) {
    const told = {
      ...{ stream: stream.name, sequence: event.auditbatch, opened: event.auditopened, format: this.format },
      ...{ gap: event.auditgap ?? "-", previous: event.auditprevious },
    };
    if (!stream.loose.has(event.auditbatch)) stream.loose.set(event.auditbatch, { told, events: new Map(), copies: 0 });
    const batch = stream.loose.get(event.auditbatch);
    const number = Number(event.sequence);
    if (JSON.stringify(batch.told) !== JSON.stringify(told)) this.#addBad(stream, event.auditbatch, "contradiction");
    else if (!batch.events.has(number)) batch.events.set(number, { text, copies: 1 });
    else if (batch.events.get(number).text === text) batch.events.get(number).copies++;
    else this.#addBad(stream, event.auditbatch, "contradiction");
  }

  /** One line of the manifests' file. */
  takeManifest(line) {
    try {
      this.addManifest(JSON.parse(line.toString()));
    } catch {
      this.#counts.unreadable++;
    }
  }

  /** A manifest, parsed. */
  addManifest(manifest) {
    if (typeof manifest?.stream !== "string" || !Array.isArray(manifest.notes)) {
      this.#counts.unreadable++;
      return;
    }
    if (this.#isForeign(manifest.stream)) {
      this.#addForeign(manifest.stream);
      return;
    }
    this.#anyManifest = true;
    const text = Buffer.from(textOf(manifest));
    const signed = () => this.publicKeys.includes(manifest.key) && fitsPublic(manifest.signature, text, manifest.key);
    if (sha256(text) === manifest.digest && (!this.publicKeys.length || signed())) {
      this.#stream(manifest.stream).manifests.set(manifest.digest, manifest);
    } else this.#find("manifest-forged", { stream: manifest.stream, until: manifest.until });
  }

  /** All findings, once everything was taken. */
  findings() {
    for (const [kind, number] of Object.entries(this.#counts)) if (number) this.#find(kind, { count: number });
    for (const [stream, number] of this.#foreign) this.#find("foreign", { stream, count: number });
    for (const stream of this.#streams.values()) this.#judge(stream);
    if (this.#findings.every(({ kind }) => kind === "test")) this.#find("nothing", {});
    return this.#findings;
  }

  #judge(stream) {
    const say = (kind, fields) => {
      if (!(fields.sequence < this.from)) this.#find(kind, { stream: stream.name, ...fields });
    };
    const manifests = this.#chainOfManifests(stream, say);
    for (const [sequence, batch] of stream.parts) this.#join(stream, sequence, batch, say);
    this.#assemble(stream, manifests, say);
    for (const [sequence, faults] of stream.bad)
      for (const fault of new Set(faults)) {
        if (sequence === NOWHERE) say(fault, {});
        else say(fault, { sequence });
      }
    for (const sequence of stream.late) say("late", { sequence });
    for (const [sequence, number] of stream.repeated) {
      const batch = stream.batches.get(sequence);
      if (batch && !batch.partial) say("repeated", { sequence, count: number });
    }
    if (!stream.isHere && !manifests.length) return;
    this.#judgeChain(stream, manifests, say);
    this.#judgeEnd(stream, manifests, say);
  }

  /** The genuine manifests in order; those that contradict an earlier one left out. */
  #chainOfManifests(stream, say) {
    const counted = [];
    for (const manifest of [...stream.manifests.values()].sort((a, b) => a.until - b.until)) {
      const before = counted.at(-1);
      if (before && before.digest !== manifest.previous) {
        if (counted.some((one) => one.previous === manifest.previous)) {
          say("manifest-contradiction", { until: manifest.until });
          continue;
        }
        say("manifest-missing", { since: before.until, until: manifest.since });
      }
      counted.push(manifest);
    }
    for (const manifest of counted)
      for (const { sequence, first_event, last_event, kind: note, by, because, at } of manifest.notes)
        say("noted", { sequence, first_event, last_event, note, by, because, at });
    return counted;
  }

  /** Put a batch together of its parts, or say what is missing of it. */
  #join(stream, sequence, { batch, parent, ranges }, say) {
    const whole = stream.batches.get(sequence);
    if (!(batch.format.split("/")[0] in PIECES)) {
      if (!whole) say("unverifiable", { sequence }); // nobody told how its parts are put together
      return;
    }
    const holes = [];
    const chosen = [];
    let following = batch.first;
    for (const part of ranges.sort((a, b) => a.first - b.first || b.last - a.last)) {
      if (part.last < following) continue; // it came within a larger one
      if (part.first > following) holes.push({ first_event: following, last_event: part.first - 1 });
      chosen.push(parts(batch.format, part.body));
      following = part.last + 1;
    }
    if (following <= batch.last) holes.push({ first_event: following, last_event: batch.last });
    const isJoined = !holes.length && joined(chosen) === parent;
    if (isJoined) say("joined", { sequence, count: chosen.length });
    if (whole) {
      this.#repeat(stream, sequence, isJoined ? 1 : ranges.length);
      const isSame = ranges.every(({ first, marks }) => isWithin(whole, first, marks));
      if (!isSame) this.#addBad(stream, sequence, "contradiction");
    } else if (isJoined) stream.batches.set(sequence, batch);
    else if (!holes.length) this.#addBad(stream, sequence, "altered");
    else {
      for (const hole of holes) say("incomplete", { sequence, ...hole });
      stream.batches.set(sequence, { ...batch, partial: true });
    }
  }

  /** Batches of which only events were kept: what follows them, or a manifest, says whether they are whole. */
  #assemble(stream, manifests, say) {
    const order = [...stream.loose.keys()].sort((a, b) => a - b);
    for (const sequence of order) {
      const { told, events } = stream.loose.get(sequence);
      const sorted = [...events.keys()].sort((a, b) => a - b);
      const [first, last] = [sorted[0], sorted.at(-1)];
      const { head, separator, tail } = PIECES[this.format.split("/")[0]];
      const body = head + sorted.map((number) => events.get(number).text).join(separator) + tail;
      const digest = digestOf({ ...told, events: `${first}-${last}` }, sha256(body));
      const batch = { ...told, first, last, opened: Number(told.opened), digest, sorted };
      const copies = Math.min(...[...events.values()].map((event) => event.copies)) - 1;
      this.#repeat(stream, sequence, copies);
      if (!stream.batches.has(sequence)) stream.batches.set(sequence, batch);
    }
    for (const sequence of order) {
      const batch = stream.batches.get(sequence);
      if (!batch.sorted) continue;
      const named = this.#namedDigest(stream, manifests, sequence);
      if (named === batch.digest) continue;
      if (this.#sayHoles(stream, manifests, batch, say)) batch.partial = true;
      else if (named === undefined) say("unsealed", { sequence });
      else {
        this.#addBad(stream, sequence, "altered");
        stream.batches.delete(sequence);
      }
      batch.digest = named; // whatever it was, it is what the next one follows
    }
  }

  #namedDigest(stream, manifests, sequence) {
    const next = stream.batches.get(sequence + 1);
    if (next) return next.previous;
    for (const manifest of manifests) {
      if (manifest.last_sequence === sequence) return manifest.closing_digest;
      if (manifest.first_sequence === sequence + 1) return manifest.opening_digest;
    }
    return undefined;
  }

  /** Say which events of a batch are not here; false if all are. */
  #sayHoles(stream, manifests, batch, say) {
    const { sequence, sorted } = batch;
    const [before, after] = [stream.batches.get(sequence - 1), stream.batches.get(sequence + 1)];
    const end = after ? after.first - 1 : manifests.find((one) => one.last_sequence === sequence)?.last_event;
    const begin = sequence === 1 ? 1 : before ? before.last + 1 : batch.first;
    const expected = [begin - 1, ...sorted, (end ?? batch.last) + 1];
    let holes = false;
    for (let at = 1; at < expected.length; at++)
      if (expected[at] > expected[at - 1] + 1) {
        say("incomplete", { sequence, first_event: expected[at - 1] + 1, last_event: expected[at] - 1 });
        holes = true;
      }
    [batch.first, batch.last] = [begin, end ?? batch.last];
    return holes;
  }

  #judgeChain(stream, manifests, say) {
    const newest = largest([...stream.batches.keys(), ...manifests.map((one) => one.last_sequence)]);
    const known = [...new Set([...stream.batches.keys(), ...stream.bad.keys()])].sort((a, b) => a - b);
    let [run, before, expected] = [undefined, { digest: FIRST, last: 0, sequence: 0 }, this.from];
    const endRun = () => {
      if (run) say("complete", run);
      run = undefined;
    };
    for (const sequence of [...known.filter((one) => one >= this.from && one <= newest), newest + 1]) {
      if (sequence > expected) {
        endRun();
        const hole = { first: expected, last: sequence - 1 };
        say("missing", { ...hole, ...this.#eventsOf(stream, manifests, hole) });
      }
      expected = sequence + 1;
      const batch = stream.batches.get(sequence);
      if (!batch) {
        endRun();
        before = undefined;
        continue;
      }
      const isNext = before?.sequence === sequence - 1 && before.digest !== undefined;
      if (isNext && (batch.previous !== before.digest || batch.first !== before.last + 1)) {
        endRun();
        say("broken", { sequence });
      }
      before = batch;
      if (batch.partial) {
        endRun();
        continue;
      }
      if (batch.gap !== "-") {
        const [since, until] = numbers(batch.gap);
        say("gap", { sequence, since, until });
      }
      run ??= { first: sequence, first_event: batch.first, since: batch.opened };
      Object.assign(run, { last: sequence, last_event: batch.last, until: batch.opened });
    }
    endRun();
    for (const manifest of manifests) this.#compare(stream, manifest, say);
    if (this.publicKeys.length && manifests.length) this.#sayUnattested(stream, manifests, say);
  }

  /** Say which batches at the ends of a manifest's time are not those that it tells of, or lie after the very last. */
  #compare(stream, manifest, say) {
    const { first_sequence: opens, last_sequence: closes } = manifest;
    const wrong = new Set();
    for (const [sequence, digest, end] of [
      [opens - 1, manifest.opening_digest, manifest.first_event - 1],
      [closes, manifest.closing_digest, manifest.last_event],
    ]) {
      const batch = stream.batches.get(sequence);
      if (batch && !batch.partial && (batch.digest !== digest || batch.last !== end)) wrong.add(sequence);
    }
    const first = opens <= closes ? stream.batches.get(opens) : undefined;
    const follows = first?.previous === manifest.opening_digest && first?.first === manifest.first_event;
    if (first && !first.partial && !follows) wrong.add(opens);
    if (manifest.final) {
      const beyond = [...stream.batches.keys()].filter((one) => one > closes && !stream.batches.get(one).partial);
      if (beyond.length) wrong.add(beyond.reduce((one, other) => Math.min(one, other)));
    }
    for (const sequence of wrong) say("unlike-manifest", { sequence, until: manifest.until });
  }

  /** Say which batches nobody vouches for: the chain leads from them to no manifest, and no signature was looked at. */
  #sayUnattested(stream, manifests, say) {
    const named = new Map();
    for (const manifest of manifests) {
      named.set(manifest.first_sequence - 1, manifest.opening_digest);
      named.set(manifest.last_sequence, manifest.closing_digest);
    }
    const found = [];
    let [vouched, after] = [false, undefined];
    for (const sequence of [...stream.batches.keys()].sort((a, b) => b - a)) {
      const batch = stream.batches.get(sequence);
      const digest = batch.partial ? undefined : batch.digest;
      const isFollowed = after?.sequence === sequence + 1 && after.previous === digest && after.first === batch.last + 1;
      vouched = digest !== undefined && ((vouched && isFollowed) || named.get(sequence) === digest);
      after = batch;
      const isLate = this.until && batch.opened >= this.until;
      if (vouched || batch.signed || digest === undefined || isLate || sequence < this.from) continue;
      if (found.at(-1)?.first === sequence + 1) found.at(-1).first = sequence;
      else found.push({ first: sequence, last: sequence });
    }
    for (const range of found) say("unattested", range);
  }

  /** The numbers of the events of batches that are not here, as far as their neighbours or manifests tell. */
  #eventsOf(stream, manifests, { first, last }) {
    const before = first === 1 ? 0 : (stream.batches.get(first - 1)?.last ?? lastEvent(manifests, first - 1));
    const after = stream.batches.get(last + 1);
    const end = after ? after.first - 1 : lastEvent(manifests, last);
    return before === undefined || end === undefined ? {} : { first_event: before + 1, last_event: end };
  }

  #judgeEnd(stream, manifests, say) {
    if (!this.#anyManifest && this.until === undefined) return;
    const newest = manifests.at(-1);
    const others = [...this.#streams.values()].filter((one) => destinationOf(one.name) === destinationOf(stream.name));
    const latest = largest(others.flatMap((one) => [...one.manifests.values()].map((each) => each.until)));
    const stale = newest?.until < (this.until ?? 0) || newest?.until < latest - 2 * HOUR_MS;
    const { last_sequence: last, until, final } = newest ?? {};
    if (!newest) say("unproved", {});
    else if (!this.publicKeys.length || (stale && !final)) say("unproved", { last, until });
    else say(final ? "ended" : "proved", { last, until });
  }
}

function lastEvent(manifests, sequence) {
  const ending = manifests.find((one) => one.last_sequence === sequence);
  const beginning = manifests.find((one) => one.first_sequence === sequence + 1);
  return ending?.last_event ?? (beginning && beginning.first_event - 1);
}

export const exitCode = (findings) => Math.max(0, ...findings.map(({ kind }) => EXITS[kind] ?? 0));

/** The lines of a file that are not empty, as they are; a line feed ends one, and nothing else does. */
async function* linesOf(path) {
  let [begun, size] = [[], 0];
  for await (const chunk of path === "-" ? process.stdin : createReadStream(path)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...begun, chunk.subarray(start, end)]);
      if (line.length) yield line;
      [begun, size, start] = [[], 0, end + 1];
    }
    begun.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > MOST_LINE) throw new Error("a line is longer than any delivery");
  }
  if (size) yield Buffer.concat(begun);
}

async function main() {
  const text = { type: "string" };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ manifests: text, "public-key": { ...text, multiple: true }, from: text, until: text, destination: text },
      format: { ...text, default: "cloudevents/2" },
      json: { type: "boolean" },
    },
  });
  if (positionals.length !== 1) throw new Error("name one file of JSON lines, or - for standard input");
  const until = values.until && Date.parse(values.until);
  if (Number.isNaN(until)) throw new Error("--until is no time: write it as in 2025-11-21T04:00:00Z");
  if (!["cloudevents/2", "axiom/1", "ndjson/1"].includes(values.format))
    throw new Error("--format is cloudevents/2, axiom/1 or ndjson/1: events of no other say enough");
  if (values.from && !isNumber(values.from)) throw new Error("--from is no number");
  const verifier = new Verifier({
    secrets: (process.env.WEBHOOK_SECRET ?? "").split(/[\s,]+/).filter(Boolean),
    publicKeys: values["public-key"],
    from: Number(values.from ?? 1),
    until,
    destination: values.destination,
    format: values.format,
  });
  for await (const line of linesOf(positionals[0])) verifier.take(line);
  if (values.manifests) for await (const line of linesOf(values.manifests)) verifier.takeManifest(line);
  const findings = verifier.findings();
  if (values.json) console.log(JSON.stringify({ exit: exitCode(findings), findings }));
  else for (const { kind, ...fields } of findings) console.log(kind, JSON.stringify(fields));
  return exitCode(findings);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  main().then(
    (code) => (process.exitCode = code),
    (error) => {
      console.error(`verify: ${error.message}`);
      process.exitCode = 3;
    },
  );
