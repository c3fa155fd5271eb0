import net from "node:net";
import { silenceFor } from "./server-down.ts";

/**
 * Connects to `host`, trying all of its addresses, within `timeoutMs` (the name's lookup included).
 * Rejects with the socket's error, with code ETIMEDOUT when it was late, or with the signal's reason.
 */
export function connectTcp(
  target: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  signal?: AbortSignal,
): Promise<net.Socket> {
  const { host, port, timeoutMs } = target;
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, autoSelectFamily: true });
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      act();
    };
    const fail = (error: unknown) =>
      settle(() => {
        socket.on("error", () => {}); // what a destroyed socket may still say
        socket.destroy();
        reject(error);
      });
    const onAbort = () => fail(signal?.reason);
    const timer = setTimeout(() => {
      fail(Object.assign(new Error(silenceFor("connection", timeoutMs)), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => settle(() => resolve(socket)));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}
