import { expect, test } from "bun:test";
import type { LookUpTxt } from "../../src/doctor/settings.ts";
import { diagnoseSenderDomain } from "../../src/doctor/settings.ts";
import { diagnosed, findTrouble, troubles } from "../support/doctor.ts";

const dkim = { domain: "example.com", selector: "s1" };
const sender = { domain: "mail.example.com", envelopeDomain: "bounces.example.com", dkim };

function look(zone: Readonly<Record<string, readonly string[]>> | Error) {
  const lookUp: LookUpTxt = async (name) => {
    if (zone instanceof Error) throw zone;
    return zone[name] ?? [];
  };
  return diagnosed((diagnosis) => diagnoseSenderDomain(sender, diagnosis, lookUp));
}

const good = {
  "bounces.example.com": ["other=1", "v=spf1 include:spf.example.net -all"],
  "_dmarc.example.com": ["v=DMARC1; p=reject"],
  "s1._domainkey.example.com": ["v=DKIM1; k=rsa; p=MIIB"],
};

test("a domain with its records is fine; its DMARC record may be on a parent domain", async () => {
  const found = await look(good);
  expect(troubles(found)).toEqual([]);
  expect(found.map(({ text }) => text)).toContain(
    "_dmarc.example.com: mails that fail are treated as reject",
  );
});

test("a missing record is reported with the record to add", async () => {
  const found = await look({});
  expect(findTrouble(found, "dns.spf").fix).toContain('bounces.example.com: "v=spf1');
  expect(findTrouble(found, "dns.dmarc").fix).toContain('_dmarc.mail.example.com: "v=DMARC1');
  expect(findTrouble(found, "dns.dkim").fix).toContain("s1._domainkey.example.com");
  expect(found.every(({ level }) => level === "warning")).toBe(true);
});

test("harmful records are found", async () => {
  const found = await look({
    ...good,
    "bounces.example.com": ["v=spf1 -all", "v=spf1 ~all"],
    "s1._domainkey.example.com": ["v=DKIM1; p="],
  });
  expect(findTrouble(found, "dns.spf").text).toContain("2 SPF records");
  expect(findTrouble(found, "dns.dkim").text).toContain("revoked");
  const open = await look({ ...good, "bounces.example.com": ["v=spf1 +all"] });
  expect(findTrouble(open, "dns.spf").text).toContain("lets anyone send");
});

test("a resolver that does not answer is one warning", async () => {
  const found = await look(Object.assign(new Error("timeout"), { code: "ETIMEOUT" }));
  expect(found.length).toBe(1);
  expect(findTrouble(found, "dns.resolver").text).toContain("are unchecked");
});
