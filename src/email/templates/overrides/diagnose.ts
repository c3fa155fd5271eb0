import type { Diagnosis } from "../../../core/diagnosis.ts";
import type { TemplateProblem } from "./operator-text.ts";

/** TEMPLATE_DIR: whether a service would start with the templates that are there now. */
export function diagnoseTemplates(
  directory: string,
  problems: readonly TemplateProblem[],
  diagnosis: Diagnosis,
): void {
  for (const { file, line, problem } of problems) {
    const place = line === undefined ? file : `${file}:${line}`;
    const mend = `Mend ${place} in ${directory}; instant preview shows it at once`;
    diagnosis.fault("templates.sound", `${place} ${problem}`, mend);
  }
  if (problems.length > 0) return;
  diagnosis.ok("templates.sound", "All are well, rendered with sample data");
}
