import { Button, Field } from "../../../core/html/controls.tsx";
import type { OpsSite } from "./ops-page.tsx";
import { opsPage } from "./ops-page.tsx";

/** `retryAfterSeconds`: nobody is listened to until then. */
export function loginPage(
  site: OpsSite,
  failure?: { readonly status: number; readonly retryAfterSeconds?: number | undefined },
): Response {
  const { status = 200, retryAfterSeconds } = failure ?? {};
  const minutes = Math.ceil((retryAfterSeconds ?? 0) / 60);
  const error =
    retryAfterSeconds === undefined
      ? "That is not the token of this service."
      : `Too many wrong tokens. Try again in ${minutes} min.`;
  return opsPage({
    site,
    title: "Sign in",
    place: undefined,
    status,
    content: (
      <div class="card stack">
        <h1>For operators</h1>
        <p class="lead">Sign in with the OPS_TOKEN that serve-email was started with.</p>
        <form class="stack" method="post" action="/login">
          <input type="text" name="username" value="operator" autocomplete="username" hidden />
          <Field
            id="token"
            label="Token"
            error={failure === undefined ? undefined : error}
            input={(attributes) => (
              <input
                {...attributes}
                name="token"
                type="password"
                autocomplete="current-password"
                maxlength={4096}
                required
              />
            )}
          />
          <Button look="main" wide>
            Sign in
          </Button>
        </form>
      </div>
    ),
  });
}
