import { describe, expect, test } from "bun:test";
import { LiveFeed, watchersMax } from "../../src/email/ops/live-feed.ts";
import { eventually } from "../../support/eventually.ts";

const decoder = new TextDecoder();

/** What a browser hears. */
function listen(response: Response | undefined) {
  if (response?.body === null || response === undefined) throw new Error("nobody may watch");
  const reader = response.body.getReader();
  const heard: Record<string, string>[] = [];
  const ended = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const text = decoder.decode(value);
      if (text.startsWith("data: ")) heard.push(JSON.parse(text.slice(6)));
    }
  })();
  return { heard, ended, leave: () => reader.cancel() };
}

describe("the live feed", () => {
  test("renders once for all who watch, sends what changed, and rests when they have left", async () => {
    let renders = 0;
    const render = async () => {
      renders += 1;
      return { steady: "same", count: String(renders) };
    };
    const feed = new LiveFeed({ render, everyMs: 5 });
    expect(renders).toBe(0);
    const watchers = [listen(feed.watch()), listen(feed.watch()), listen(feed.watch())];
    const [first] = watchers;
    await eventually("three changes", () => watchers.every(({ heard }) => heard.length >= 4));
    expect(first?.heard[1]).toEqual({ steady: "same", count: "1" });
    expect(first?.heard[2]).toEqual({ count: "2" });
    expect(renders).toBeLessThanOrEqual((first?.heard.length ?? 0) + 1);
    for (const watcher of watchers) await watcher.leave();
    expect(feed.watchers).toBe(0);
    const atRest = renders;
    await Bun.sleep(30); // that nothing happens can only be waited for
    expect(renders).toBeLessThanOrEqual(atRest + 1);
  });

  test("who comes later hears the whole at once", async () => {
    const feed = new LiveFeed({ render: async () => ({ steady: "same" }), everyMs: 5 });
    const first = listen(feed.watch());
    await eventually("it is said", () => first.heard.length >= 2);
    const later = listen(feed.watch());
    await eventually("it is said again", () => later.heard.length >= 1);
    expect(later.heard[0]).toEqual({ steady: "same" });
    await feed.stop();
  });

  test("is for 20 at a time, and lets all go when it stops", async () => {
    const feed = new LiveFeed({ render: async () => ({}), everyMs: 5 });
    const watchers = Array.from({ length: watchersMax }, () => listen(feed.watch()));
    expect(feed.watch()).toBeUndefined();
    await feed.stop();
    await Promise.all(watchers.map(({ ended }) => ended));
    expect(feed.watch()).toBeUndefined();
  });

  test("lets a browser go that does not read", async () => {
    let count = 0;
    const render = async () => {
      count += 1;
      return { count: String(count) };
    };
    const feed = new LiveFeed({ render, everyMs: 1 });
    const deaf = feed.watch();
    const good = listen(feed.watch());
    await eventually("only one is left", () => feed.watchers === 1);
    const heard = good.heard.length;
    await eventually("the other one hears on", () => good.heard.length > heard);
    await deaf?.body?.cancel();
    await feed.stop();
  });
});
