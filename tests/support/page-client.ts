import type { SignInWorld } from "./sign-in-world.ts";

type Headers = Readonly<Record<string, string>>;

/** A browser without scripts, as far as forms go: it keeps cookies, and says where it comes from. */
interface PageClient {
  /** By name, as the browser would send them. */
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Headers): Promise<Response>;
  /** A page in a tab of its own: its forms send what it held when it was opened. */
  open(path: string): Promise<Tab>;
  /** As a form of our own page sends it, unless `headers` say otherwise. */
  post(path: string, fields?: Headers, headers?: Headers): Promise<Response>;
  /** Goes where an answer leads; fails when it leads nowhere. */
  follow(answer: Response): Promise<string>;
  signIn(email: string): Promise<void>;
}

interface Tab {
  readonly html: string;
  /** Sends the form with this action. */
  post(action: string, fields?: Headers): Promise<Response>;
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
    get: (path, headers = {}) => send(path, "GET", { Host: fromOurPage.Host, ...headers }),
    open: async (path) => {
      const html = await (await client.get(path)).text();
      return {
        html,
        post: (action, fields = {}) =>
          client.post(action, { ...hiddenFields(html, action), ...fields }),
      };
    },
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

/** What the form with this action sends by itself. */
function hiddenFields(html: string, action: string): Headers {
  const form = html.split("<form ").find((part) => part.includes(`action="${action}"`));
  if (form === undefined) throw new Error(`no form sends to ${action}`);
  const [inside = ""] = form.split("</form>");
  const hidden = inside.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g);
  return Object.fromEntries([...hidden].map(([, name = "", value = ""]) => [name, value]));
}
