import { kafka } from "./kafka.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";
import type { Recipe, ServerName } from "./server.ts";
import { smtpSink } from "./smtp-sink.ts";

export const recipes: Readonly<Record<ServerName, Recipe>> = {
  kafka,
  redis,
  postgres,
  smtp: smtpSink,
};
