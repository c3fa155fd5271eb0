import { createHash } from "node:crypto";
import { run } from "./packages.ts";
import type { DockerRun, Server, ServerName } from "./server.ts";

const pullDeadlineMs = 10 * 60_000;

/** Whether there is a Docker engine that answers; a client alone is not enough. */
export function findDocker(): boolean {
  if (Bun.which("docker") === null) return false;
  const asked = Bun.spawnSync(["docker", "info", "--format", "{{.ServerVersion}}"], {
    timeout: 5_000,
    stdout: "pipe",
    stderr: "ignore",
  });
  return asked.success && asked.stdout.toString().trim() !== "";
}

/** Runs a container that listens on the host's 127.0.0.1 only; its data goes with it. */
export async function startContainer(
  name: ServerName,
  directory: string,
  hostPort: number,
  plan: DockerRun,
): Promise<Server> {
  const container = nameContainer(name, directory);
  await removeContainer(container);
  await run(describeRun(container, hostPort, plan), { deadlineMs: pullDeadlineMs });
  return { name, variables: plan.variables, origin: { kind: "docker", container } };
}

export function describeRun(container: string, hostPort: number, plan: DockerRun): string[] {
  const environment = Object.entries(plan.environment).flatMap(([name, value]) => [
    "--env",
    `${name}=${value}`,
  ]);
  const publish = ["--publish", `127.0.0.1:${hostPort}:${plan.port}`];
  const named = ["docker", "run", "--detach", "--name", container];
  return [...named, ...publish, ...environment, plan.image, ...plan.command];
}

export async function removeContainer(container: string): Promise<void> {
  await run(["docker", "rm", "--force", "--volumes", container]).catch((error: Error) => {
    if (!error.message.includes("No such container")) throw error;
  });
}

export async function containerIsRunning(container: string): Promise<boolean> {
  const asked = ["docker", "inspect", "--format", "{{.State.Running}}", container];
  const answer = await run(asked).catch(() => "");
  return answer.trim() === "true";
}

/** Two checkouts on one machine have containers of their own. */
function nameContainer(name: ServerName, directory: string): string {
  const checkout = createHash("sha256").update(directory).digest("hex").slice(0, 8);
  return `instant-servers-${checkout}-${name}`;
}
