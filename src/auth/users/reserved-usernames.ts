// Usernames that would pass for the operator, a role mailbox (RFC 2142) or a path of the site.
const builtIn = [
  ["admin", "administrator", "root", "superuser", "sysadmin", "system", "operator", "owner"],
  ["moderator", "mod", "staff", "team", "official", "bot", "instant"],
  ["support", "help", "helpdesk", "info", "contact", "service", "sales", "billing", "payments"],
  ["security", "abuse", "postmaster", "hostmaster", "webmaster", "noc", "mailerdaemon", "mailer"],
  ["noreply", "donotreply", "notifications", "marketing", "news", "press", "legal", "privacy"],
  ["login", "logout", "signin", "signout", "signup", "register", "auth", "account", "accounts"],
  ["user", "users", "me", "settings", "password", "verify", "api", "docs", "status", "health"],
  ["www", "mail", "email", "smtp", "ftp", "ns", "localhost", "static", "assets", "public"],
  ["anonymous", "everyone", "all", "nobody", "guest", "null", "undefined", "none", "test"],
].flat();
const reserved = new Set(builtIn);

/** Compared without what reads over: "Ad.min" is as reserved as "admin". */
export function isReservedUsername(username: string, more: readonly string[]): boolean {
  const bare = bareName(username);
  return reserved.has(bare) || more.some((each) => bareName(each) === bare);
}

function bareName(username: string): string {
  return username.toLowerCase().replace(/[._-]/g, "");
}
