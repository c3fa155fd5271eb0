/** What a /48 of strangers comes to, as `docs/security.md` says it: in an hour, and in a day. */
export const siteRows = [
  ["guesses", 10, 21],
  ["chances", 25, 40],
  ["mails", 5, 20],
  ["lockedMinutes", 45, 165],
  ["mailboxMails", 15, 20],
  ["wrongCodes", 1_200, 28_800],
  ["codes", 600, 14_400],
] as const;
