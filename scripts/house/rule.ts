/** A file of the repository as the rules see it; `path` is relative to its root, with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One place that breaks a rule. */
export interface Problem {
  readonly path: string;
  readonly line?: number;
  readonly what: string;
}

/**
 * A rule of the house. It sees every file at once and looks only at what concerns it; `why` and
 * `mend` are printed under its problems, so nobody has to ask what the rule is for.
 */
export interface Rule {
  readonly name: string;
  readonly why: string;
  readonly mend: string;
  find(files: readonly SourceFile[]): Problem[];
}

export function isTypeScript(file: SourceFile): boolean {
  return /\.tsx?$/.test(file.path);
}

export function isUnder(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** The number of lines; a final newline does not begin another one. */
export function countLines(text: string): number {
  return text.replace(/\n$/, "").split("\n").length;
}
