// Puts each case that comes on standard input, a line of JSON, to docs/kit/verify.mjs; answers with the findings.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Verifier, exitCode } = await import(pathToFileURL(`${process.argv[2]}/verify.mjs`));

for await (const line of createInterface({ input: process.stdin })) {
  const { kept, manifests, secrets, public_keys: publicKeys, options } = JSON.parse(line);
  const verifier = new Verifier({ secrets, publicKeys, ...options });
  for (const one of kept) verifier.take(Buffer.from(one, "base64"));
  for (const one of manifests) verifier.takeManifest(Buffer.from(one, "base64"));
  const findings = verifier.findings();
  console.log(JSON.stringify({ exit: exitCode(findings), findings }));
}
