import net from "node:net";

/** Whether an SMTP server greets on this port. */
export function answersSmtp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("data", () => {
      socket.end("QUIT\r\n");
      resolve(true);
    });
  });
}

/** A port for a program that cannot be told 0: free now, and most likely still free then. */
export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}
