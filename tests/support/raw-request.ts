/** Sends these bytes (latin1) to a port of this machine; resolves with what comes back first. */
export async function sendRaw(port: number, request: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(Buffer.from(request, "latin1")),
      data: (socket, bytes) => {
        answer.resolve(bytes.toString("latin1"));
        socket.end();
      },
      close: () => answer.reject(new Error("closed without an answer")),
    },
  });
  return answer.promise;
}
