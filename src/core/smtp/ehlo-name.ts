import { hostname } from "node:os";

/** RFC 5321, 4.1.1.1: a fully qualified domain name, or an address literal of 4.1.3. */
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const octet = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const domain = `(?=.{1,255}$)(?:${label}\\.)+(?=[A-Za-z0-9-]*[A-Za-z])${label}`;
const literal = `\\[(?:${octet}(?:\\.${octet}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\\]`;

export const ehloNamePattern = new RegExp(`^(?:${domain}|${literal})$`);
export const ehloNameShape =
  "a full domain name such as mail.example.com, or an address as [192.0.2.1] or [IPv6:2001:db8::1]";

/** This machine's name when it is a full one, else the sender's domain. */
export function defaultEhloName(from: string, machine = hostname()): string {
  const isFullName = !machine.startsWith("[") && ehloNamePattern.test(machine);
  return isFullName ? machine : from.slice(from.lastIndexOf("@") + 1);
}
