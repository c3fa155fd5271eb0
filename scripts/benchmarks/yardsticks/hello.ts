/**
 * The yardstick of starting up: the smallest server there is, compiled as the program is. With
 * `--help` it prints one line and exits; otherwise it listens on PORT until SIGTERM.
 */
if (process.argv.includes("--help")) {
  console.log("usage: PORT=8080 hello");
} else {
  Bun.serve({
    hostname: "127.0.0.1",
    port: Number(process.env["PORT"]),
    fetch: () => new Response("hello"),
  });
}
