import type { ProcessMark } from "./processes.ts";

export const serverNames = ["kafka", "redis", "postgres", "smtp"] as const;
export type ServerName = (typeof serverNames)[number];

/** The variables by which the program finds a server: `{ KAFKA_BROKERS: "127.0.0.1:9092" }`. */
export type Variables = Readonly<Record<string, string>>;

/** How a server came to be there. Only what we started is ever ended by us. */
export type Origin =
  | { readonly kind: "given" }
  | { readonly kind: "docker"; readonly container: string }
  | { readonly kind: "process"; readonly process: ProcessMark; readonly log: string };

export interface Server {
  readonly name: ServerName;
  readonly variables: Variables;
  readonly origin: Origin;
}

/** Where a recipe may work, and how it speaks to the person. */
export interface Workshop {
  readonly repository: string;
  /** The server's own folder, kept until `down --wipe`: data, settings, password. */
  readonly directory: string;
  /** Where the process writes what it has to say. */
  readonly log: string;
  say(line: string): void;
}

export interface DockerRun {
  readonly image: string;
  /** The port inside the container. */
  readonly port: number;
  readonly environment: Variables;
  readonly command: readonly string[];
  readonly variables: Variables;
}

/** How one kind of server is found, asked and started. */
export interface Recipe {
  readonly name: ServerName;
  readonly usualPort: number;
  /** The variable by which a person points to a server of their own. */
  readonly variable: string;
  /** What the caller's environment points to; undefined when it points to nothing. */
  findGiven(environment: Readonly<Record<string, string | undefined>>): Variables | undefined;
  /** Whether a server of this kind answers there; false after two seconds. */
  answers(variables: Variables): Promise<boolean>;
  /** Undefined where a container makes no sense. */
  planDocker?(hostPort: number, directory: string): DockerRun;
  /** Starts a process; the caller waits until it answers. Throws when something it needs is missing. */
  start(workshop: Workshop): Promise<{ variables: Variables; process: ProcessMark }>;
}
