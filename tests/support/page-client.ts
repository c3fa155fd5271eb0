import type { SignInWorld } from "./sign-in-world.ts";

type Headers = Readonly<Record<string, string>>;

/** A browser without scripts, as far as forms go: it keeps cookies, and says where it comes from. */
interface PageClient {
  /** By name, as the browser would send them. */
  readonly cookies: Map<string, string>;
  get(path: string): Promise<Response>;
  /** As a form of our own page sends it, unless `headers` say otherwise. */
  post(path: string, fields?: Headers, headers?: Headers): Promise<Response>;
  /** Goes where an answer leads; fails when it leads nowhere. */
  follow(answer: Response): Promise<string>;
  signIn(email: string): Promise<void>;
}

export const fromOurPage = { Host: "sign-in.example.com", "Sec-Fetch-Site": "same-origin" };

export function openPageClient(world: SignInWorld): PageClient {
  const cookies = new Map<string, string>();
  const send = async (path: string, method: string, headers: Headers, body?: string) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const init = { method, headers: { Accept: "text/html", Cookie: cookie, ...headers } };
    const answer = await world.app.request(path, body === undefined ? init : { ...init, body });
    for (const set of answer.headers.getSetCookie()) {
      const [name = "", value = ""] = set.slice(0, set.indexOf(";")).split("=");
      if (value === "") cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  };
  const client: PageClient = {
    cookies,
    get: (path) => send(path, "GET", { Host: fromOurPage.Host }),
    post: (path, fields = {}, headers = fromOurPage) => {
      const type = { "Content-Type": "application/x-www-form-urlencoded" };
      const body = new URLSearchParams(fields).toString();
      return send(path, "POST", { ...type, ...headers }, body);
    },
    follow: async (answer) => {
      const location = answer.headers.get("Location");
      if (answer.status !== 303 || location === null) {
        throw new Error(`leads nowhere: ${answer.status} ${await answer.text()}`);
      }
      return (await client.get(location.replace(/#.*/, ""))).text();
    },
    signIn: async (email) => {
      await client.post("/sign-in", { email });
      const answer = await client.post("/sign-in/code", { code: world.publisher.code });
      if (answer.headers.get("Location") !== "/account") throw new Error("not signed in");
    },
  };
  return client;
}
