import type { Environment } from "../core/config/parse.ts";
import { Diagnosis } from "../core/diagnosis.ts";
import type { Log } from "../core/log.ts";
import { diagnoseNames } from "../doctor/mistyped.ts";
import { configGroups } from "./config.ts";

/** One warning for each variable that is set in vain and looks like one of ours: KAFKA_BROKER. */
export function warnOfMistyped(environment: Environment, log: Log): void {
  const known = Object.values(configGroups).flatMap((group) =>
    Object.values(group).flatMap(({ name }) => [name, `${name}_FILE`]),
  );
  const diagnosis = new Diagnosis();
  diagnoseNames(diagnosis, environment, known);
  for (const { text, mend } of diagnosis.findings) log.warn({ mend }, text);
}
