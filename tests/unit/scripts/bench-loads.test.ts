import { describe, expect, test } from "bun:test";
import { isFarWorse } from "../../../scripts/benchmarks/committed.ts";
import { HttpConnection } from "../../../scripts/benchmarks/loads/http-connection.ts";
import { percentile } from "../../../scripts/benchmarks/loads/open-loop.ts";

describe("a ratio", () => {
  test("of a rate is far worse below half of the committed one", () => {
    expect(isFarWorse({ atLeast: 0.3 }, 0.19, 0.4)).toBe(true);
    expect(isFarWorse({ atLeast: 0.3 }, 0.21, 0.4)).toBe(false);
  });

  test("of a time is far worse above twice the committed one", () => {
    expect(isFarWorse({ atMost: 3 }, 5.1, 2.5)).toBe(true);
    expect(isFarWorse({ atMost: 3 }, 4.9, 2.5)).toBe(false);
  });
});

describe("the load", () => {
  test("finds the end of an answer that comes in pieces", async () => {
    const pieces = ["HTTP/1.1 429 Too Many\r\nContent-", "Length: 5\r\n", "\r\nhel", "lo"];
    using listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: async (socket) => {
          for (const piece of pieces) {
            socket.write(piece);
            socket.flush();
            await Bun.sleep(5);
          }
        },
      },
    });
    const { promise, resolve: answer } = Promise.withResolvers<unknown>();
    const url = new URL(`http://127.0.0.1:${listener.port}`);
    const connection = await HttpConnection.open(url, answer);
    connection.send("GET / HTTP/1.1\r\n\r\n");
    expect(await promise).toEqual({ status: 429, body: "hello" });
    connection.close();
  });

  test("hears of a connection that ends before the answer", async () => {
    using listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end("HTTP/1.1 200 OK\r\n") },
    });
    const { promise, resolve: answer } = Promise.withResolvers<{ readonly status: number }>();
    const url = new URL(`http://127.0.0.1:${listener.port}`);
    const connection = await HttpConnection.open(url, answer);
    connection.send("GET / HTTP/1.1\r\n\r\n");
    expect((await promise).status).toBe(0);
  });

  test("takes the value below which a share of all lie", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, 0.99)).toBe(100);
    expect(percentile(values, 0.5)).toBe(51);
  });
});
