import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { answersSmtp, choosePort } from "../../support/engines/server.ts";
import { eventually } from "../../support/eventually.ts";
import type { TestCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

interface PostfixOptions {
  /** `postconf`, beside Postfix's other programs. */
  readonly postconf: string;
  readonly certificates: TestCertificates;
  readonly user: string;
  readonly password: string;
  /** The senders that this user may send as. */
  readonly senders: readonly string[];
  /** The recipient that it does not know. */
  readonly unknown: string;
  /** Where it relays everything to. */
  readonly relayPort: number;
}

/** A Postfix of the test's own, as a provider would run it: TLS, login (Cyrus SASL), then relay. */
export interface Postfix extends AsyncDisposable {
  readonly ports: {
    /** Submission with STARTTLS and AUTH PLAIN and LOGIN. */
    readonly starttls: number;
    /** Implicit TLS, and AUTH LOGIN alone. */
    readonly implicit: number;
    /** As starttls, with a certificate whose time is over. */
    readonly expired: number;
  };
  log(): string;
}

const queueFolders =
  "active bounce corrupt defer deferred flush hold incoming private public maildrop saved trace";

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const directory = temporaryDirectory();
  const file = (name: string) => join(directory.path, name);
  chmodSync(directory.path, 0o755); // its processes are another user's
  const owner = Number(execFileSync("id", ["-u", "postfix"], { encoding: "utf8" }));
  mkdirSync(file("queue/pid"), { recursive: true });
  const owned = ["data", ...queueFolders.split(" ").map((folder) => `queue/${folder}`)];
  for (const folder of owned) {
    mkdirSync(file(folder));
    chownSync(file(folder), owner, statSync(file(folder)).gid);
  }
  makeLogins(options, file, owner);
  const ports = {
    starttls: await choosePort(0),
    implicit: await choosePort(0),
    expired: await choosePort(0),
  };
  const { good, expired } = options.certificates;
  writeFileSync(file("good.pem"), good.key + good.cert, { mode: 0o600 });
  writeFileSync(file("expired.pem"), expired.key + expired.cert, { mode: 0o600 });
  writeFileSync(file("conf/main.cf"), mainSettings(options, file));
  writeFileSync(file("conf/master.cf"), services(ports, file));
  const folder = execFileSync(options.postconf, ["-h", "daemon_directory"], { encoding: "utf8" });
  // It ends its whole process group, so it must have one of its own.
  const master = Bun.spawn([join(folder.trim(), "master"), "-c", file("conf"), "-d"], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore"],
  });
  const postfix: Postfix = {
    ports,
    log: () => readFileSync(file("log"), "utf8"),
    [Symbol.asyncDispose]: async () => {
      master.kill("SIGTERM");
      await master.exited;
      directory[Symbol.dispose]();
    },
  };
  await eventually(
    "Postfix listens",
    () => answersSmtp({ host: "127.0.0.1", port: ports.starttls }),
    20_000,
  );
  return postfix;
}

/** The password in Cyrus' own database, and what each kind of port offers. */
function makeLogins(options: PostfixOptions, file: (name: string) => string, owner: number): void {
  mkdirSync(file("conf/sasl"), { recursive: true }); // where Debian's Postfix looks
  const program = Bun.which("saslpasswd2") ?? join(dirname(options.postconf), "saslpasswd2");
  const words = ["-p", "-c", "-f", file("conf/sasl/db"), "-u", "mail.test", options.user];
  execFileSync(program, words, { input: options.password });
  chownSync(file("conf/sasl/db"), owner, statSync(file("conf/sasl/db")).gid);
  for (const [name, mechanisms] of Object.entries({ both: "PLAIN LOGIN", login: "LOGIN" })) {
    const settings = [
      "pwcheck_method: auxprop",
      "auxprop_plugin: sasldb",
      `sasldb_path: ${file("conf/sasl/db")}`,
      `mech_list: ${mechanisms}`,
    ];
    writeFileSync(file(`conf/sasl/${name}.conf`), `${settings.join("\n")}\n`);
  }
}

function mainSettings(options: PostfixOptions, file: (name: string) => string): string {
  const { senders, user, unknown, relayPort } = options;
  const logins = senders.map((sender) => `{${sender} = ${user}@mail.test}`).join(", ");
  return `compatibility_level = 3.6
queue_directory = ${file("queue")}
data_directory = ${file("data")}
maillog_file = ${file("log")}
maillog_file_prefixes = ${dirname(file("log"))}
setgid_group = postdrop
myhostname = mail.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:${relayPort}
disable_dns_lookups = yes
cyrus_sasl_config_path = ${file("conf/sasl")}
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = both
smtpd_sasl_local_domain = mail.test
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_received_header = yes
smtpd_tls_chain_files = ${file("good.pem")}
smtpd_sender_login_maps = inline:{${logins}}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_recipient_restrictions = check_recipient_access inline:{{${unknown} = 550 5.1.1 No such user}}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
`;
}

function services(ports: Postfix["ports"], file: (name: string) => string): string {
  return `127.0.0.1:${ports.starttls} inet n - n - - smtpd
127.0.0.1:${ports.implicit} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_sasl_path=login
127.0.0.1:${ports.expired} inet n - n - - smtpd
  -o smtpd_tls_chain_files=${file("expired.pem")}
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`;
}
