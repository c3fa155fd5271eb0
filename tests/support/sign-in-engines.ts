import { findEngine } from "../../support/engines.ts";
import type { OpenSignInWorld } from "./sign-in-world.ts";
import { openEmbeddedWorld, openServerWorld } from "./sign-in-world.ts";

/** The engines every sign-in flow is tested on. */
export function signInEngines(): readonly (readonly [string, OpenSignInWorld])[] {
  const redis = findEngine("redis");
  const postgres = findEngine("postgres");
  const embedded = ["SQLite", openEmbeddedWorld] as const;
  if (redis === undefined || postgres === undefined) return [embedded];
  return [
    embedded,
    ["Redis and Postgres", (settings) => openServerWorld({ redis, postgres }, settings)],
  ];
}
