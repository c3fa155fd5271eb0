import postgres from "postgres";

export interface OwnDatabase extends AsyncDisposable {
  /** As a role of its own, which owns the database and may make schemas in it. */
  readonly url: string;
  readonly role: string;
  /** As the owner of the server, in this database. */
  run(statement: string): Promise<readonly Record<string, unknown>[]>;
}

/** A database and a role on the server of the tests, both gone with the scope. */
export async function openOwnDatabase(server: string): Promise<OwnDatabase> {
  const stack = new AsyncDisposableStack();
  const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
  const password = crypto.randomUUID();
  const admin = connect(server, stack);
  await admin.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`);
  stack.defer(async () => void (await admin.unsafe(`DROP ROLE ${name}`)));
  await admin.unsafe(`CREATE DATABASE ${name} OWNER ${name}`);
  stack.defer(async () => void (await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)));
  const url = new URL(server);
  url.pathname = `/${name}`;
  const inside = connect(url.href, stack);
  [url.username, url.password] = [name, password];
  return {
    url: url.href,
    role: name,
    run: async (statement) => await inside.unsafe(statement),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function connect(url: string, stack: AsyncDisposableStack): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  stack.defer(() => sql.end({ timeout: 1 }));
  return sql;
}
