import net from "node:net";

/**
 * A port where connecting hangs for ever: its owner sleeps, and the queue of connections it should
 * accept is full (about 510 of them), so the next one gets no answer.
 */
export async function openFullBacklog(): Promise<AsyncDisposable & { readonly port: number }> {
  const program = `const server = require("node:net").createServer(() => {});
    server.listen({ port: 0, host: "127.0.0.1" }, () => console.log(server.address().port));`;
  const owner = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  const { value } = await owner.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  process.kill(owner.pid, "SIGSTOP");
  const sockets: net.Socket[] = [];
  const connects = () =>
    new Promise<boolean>((resolve) => {
      const socket = net.connect({ port, host: "127.0.0.1" }, () => resolve(true));
      socket.on("error", () => resolve(false));
      sockets.push(socket);
      setTimeout(() => resolve(false), 200);
    });
  while (await connects()) {
    if (sockets.length > 5_000) throw new Error("the queue of connections does not fill up");
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      owner.kill("SIGKILL");
      await owner.exited;
    },
  };
}
