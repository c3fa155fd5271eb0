import { expect, test } from "bun:test";
import { join } from "node:path";
import { openSqliteUserStore } from "../../src/auth/users/sqlite.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";

test.skipIf(program === "")(
  "a start rewrites the addresses of an earlier release, and names two users that have the same",
  async () => {
    using directory = temporaryDirectory();
    await using database = await openSqlite(join(directory.path, ".instant", "users.sqlite"));
    const users = await openSqliteUserStore(database);
    const create = async (email: string) =>
      (await users.signIn({ email, username: undefined })).user.id;
    const rene = await create("rene\u0301@example.org");
    const [first, second] = [
      await create("josé@example.org"),
      await create("jose\u0301@example.org"),
    ];
    const environment = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };
    await using started = new InstantProcess(["dev"], {
      program,
      directory: directory.path,
      environment,
    });
    const [warning] = await eventually("the start tells of it", () => {
      const found = started.findLogs("Two users have the same address");
      return found.length > 0 ? found : undefined;
    });
    expect(warning).toMatchObject({ userId: second, otherUserId: first });
    await eventually(
      "an address was rewritten",
      () => started.findLogs("Addresses rewritten in canonical form")[0],
    );
    expect((await users.findByEmail("rené@example.org"))?.id).toBe(rene);
    expect((await users.findById(second))?.email).toBe("jose\u0301@example.org");
  },
);
