import type { ServerDownCause } from "./mailer.ts";
import type { ReplySource } from "./reply-sources.ts";
import { rfc, sources } from "./reply-sources.ts";

/*
 * The meaning of each 4xx and 5xx reply of an SMTP server, whatever command it answers: look up the
 * code, or a phrase of the reply, in the examples. Replies without a row, and the 4xx (some of 421,
 * 451, 452) that only concern the session and are retried on a fresh one, are handled in
 * `reply.ts`; the resulting outcome is decided in `smtp/classify.ts`.
 */

/**
 * What a refusal is about. `no_such_recipient`: the mailbox does not exist or is permanently
 * disabled; the only verdict that suppresses. `recipient`: it refuses for an unclear reason.
 * `recipient_later`: an existing mailbox that accepts nothing now (full, or over its own rate).
 * `message`: its content, or a policy about it. `rate`: we send too fast. `later`: a 4xx that
 * blames nobody. The others are causes of `server_down`: every mail of this account would get them.
 */
export type ReplyVerdict =
  | "no_such_recipient"
  | "recipient"
  | "recipient_later"
  | "message"
  | "rate"
  | "later"
  | ServerFault;
type ServerFault = Extract<
  ServerDownCause,
  "login" | "tls" | "mail_from" | "quota" | "account" | "relay" | "blocked" | "system" | "closing"
>;

/** The stage that a reply answers. */
export type ReplyStage = "sender" | "recipient" | "content";

interface ReplyRow {
  readonly verdict: ReplyVerdict;
  /** Matched against the reply code; unset: any code. */
  readonly code?: RegExp;
  readonly enhanced?: RegExp;
  /** Matched against the text of the reply without addresses. */
  readonly pattern?: RegExp;
  readonly stage?: ReplyStage;
  /**
   * Each is a test, and docs/sending.md shows the first three. Paraphrased where servers' texts
   * vary.
   */
  readonly examples: readonly [string, ...string[]];
  readonly source: ReplySource;
}

/**
 * The first matching row decides. So: phrases that override a code's usual meaning, then
 * unambiguous codes, then phrases of known relays, then codes alone. Without a match:
 * `defaultVerdict` in `reply.ts`.
 */
export const replyRows: readonly ReplyRow[] = [
  {
    verdict: "message",
    pattern:
      /\b(?:url|uri|link|surbl|uribl|domain in (?:the )?(?:body|message))s?\b.{0,80}\b(?:list|black|block)/i,
    stage: "content",
    examples: ["554 5.7.1 Message contains a URL listed on a blocklist"],
    source: rfc(3463, "3.8"),
  },
  {
    verdict: "quota",
    enhanced: /^5\.(?:4\.5|1\.90|7\.(?:705|23[2-6]))$/,
    examples: [
      "550 5.4.5 no",
      "554 5.1.90 Message can't be sent: over the limit of recipients",
      "550 5.7.233 The tenant exceeded its daily limit of mails to external recipients",
    ],
    source: sources.exchange,
  },
  {
    verdict: "recipient",
    enhanced: /^5\.7\.(?:12|124|129|13[0-6]|50[457]|513)$/,
    examples: [
      "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
      "550 5.7.505 Access denied, banned recipient",
      "550 5.7.513 Client host [192.0.2.1] blocked by the recipient's domain using its block list",
    ],
    source: sources.exchange,
  },
  {
    verdict: "recipient",
    pattern:
      /\bresolver\.rst\.(?:auth|sendernotauth|notauth|restricted)|\bmarked as inactive\b|\bsuppression list\b|\b(?:recipient|address)\b.{0,40}\bsuppressed\b|(?<!\bip )\baddress(?:es)? (?:is |are |was )?blacklisted\b|\bpreviously bounced\b/i,
    examples: [
      "550 5.7.1 406 You tried to send to a recipient that has been marked as inactive",
      "550 Not delivering to previously bounced address",
      "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required",
      "554 Message rejected: Address blacklisted.",
    ],
    source: sources.postmark,
  },
  {
    verdict: "tls",
    pattern:
      /\bstarttls\b.{0,40}\b(?:first|required|needed)|\bmust (?:first )?(?:issue|use) (?:a )?starttls/i,
    examples: [
      "530 5.7.0 Must issue a STARTTLS command first",
      "451 5.7.3 STARTTLS is required to send mail",
    ],
    source: rfc(3207, "4"),
  },
  {
    verdict: "account",
    pattern:
      /storedrv\.(?:client)?submi\w*.{0,200}(?:exception:quota|mailbox full)|mailbox full.{0,20}storedrv\.(?:client)?submi/i,
    examples: ["554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"],
    source: sources.submission,
  },
  {
    verdict: "recipient_later",
    pattern:
      /\b(?:user|recipient|mailbox|account|inbox)\b.{0,60}\breceiving\b.{0,20}\b(?:too|at a rate|high rate)|recipient (?:thread|rate) limit|\btoo many (?:messages|mails) (?:for|to) this (?:recipient|mailbox|user)/i,
    examples: [
      "550-5.2.1 The user you are trying to contact is receiving mail at a rate that\r\n550 5.2.1 prevents additional messages from being delivered",
      "450 4.2.1 The user you are trying to contact is receiving mail too quickly",
      "450 User is receiving mail too quickly",
      "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
    ],
    source: sources.google,
  },
  {
    verdict: "recipient_later",
    pattern:
      /\b(?:mailbox|inbox|mail box)(?: for \S*| of \S*| has| is| size| limit| storage| quota|'s)*\W{0,4}(?:full|over|exceed)|\b(?:account|user|recipient)(?: that you tried to reach)?(?: is| has|'s)? (?:over|exceeded) (?:its |their |the |his )?(?:storage |disk |mailbox |mail )?quota|out of (?:storage|disk) space|exceeded (?:its |the )?storage alloc|\b(?:storage|disk|mailbox|user) quota\b|\bquota\b.{0,40}\b(?:mailbox|recipient|inbox)|\bover ?quota\b/i,
    examples: [
      "552 5.2.2 The email account that you tried to reach is over quota",
      "452 4.2.2 Mailbox full",
      "552 Requested mail action aborted: exceeded storage allocation",
      "550 5.1.1 <a@b.example> mailbox is full",
    ],
    source: rfc(3463, "3.3"),
  },
  {
    verdict: "recipient_later",
    enhanced: /^[45]\.2\.(?:2|12[12])$/,
    examples: [
      "552 5.2.2 Postfach voll",
      "550 5.2.122 The recipient has exceeded their limit of messages they can receive per hour",
    ],
    source: rfc(3463, "3.3"),
  },
  {
    verdict: "later",
    code: /^4(?!21)/,
    pattern:
      /\bthis (?:session|connection)\b|\bper (?:session|connection)\b|\bin one (?:session|connection)\b/i,
    examples: ["450 4.7.1 Too many messages in this session"],
    source: rfc(9422, "3"),
  },
  {
    verdict: "quota",
    pattern:
      /\b(?:daily|hourly|monthly|weekly|24[- ]?hours?)\b.{0,60}\b(?:quota|limit|allowance)|\b(?:sending|message|relay|submission|email|outbound|account|your) (?:quota|allowance)\b|\bquota exceeded\b|\bexceeded (?:your|the|its) (?:\w+ ){0,3}(?:quota|allowance)|\b(?:maximum|insufficient|not enough|no) (?:email )?credits\b|\bcredits? (?:limit )?exceeded|submissionquotaexceeded|\bout of credits?\b|\bmessaging limits?\b|\bexceed(?:ed|s)? (?:the |your |its )?(?:sending limit|hourly|daily|monthly)|\bmax(?:imum)? (?:emails|messages|defers and failures) per (?:hour|day)\b|\b(?:email|plan) limit (?:is |was |has been )?reached\b|\binsufficient (?:balance|funds)\b/i,
    examples: [
      "550 5.4.5 Daily user sending limit exceeded",
      "550-5.7.1 Daily SMTP relay limit exceeded for customer",
      "454 Throttling failure: Daily message quota exceeded",
      "451 Authentication failed: Maximum credits exceeded",
      "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
      "451 You've exceeded your messaging limits",
      "550-Domain example.com has exceeded the max emails per hour (30/30 (100%)) allowed.\r\n550 Message discarded.",
      "550 5.7.0 The email limit is reached. Please upgrade your plan",
      "420 4.5.0 Exceed Sending limit (daily)",
    ],
    source: sources.google,
  },
  {
    verdict: "rate",
    code: /^[45]/,
    pattern:
      /\bthrottl|\b(?:sending|message|submission|send|mail|email|connection|request|peak smtp relay)[\w ]{0,20}\b(?:rate|limit)\b.{0,60}\b(?:exceed|reached|limit)|\brate[- ]?(?:limit|control|overlimit| overlimit)|\bunusual rate\b|\btoo (?:many|much|fast|quickly|frequent)\b.{0,40}\b(?:mails?|emails?|e-mails|messages?|connections?|connects|requests?|sent|per (?:second|minute))|\b(?:sending|submitting|connecting) too (?:fast|quickly)|\bslow(?:ing)? down\b|\bper (?:second|minute)\b|\bconcurrent connections?\b|\bsender thread limit|unexpected volume|deferred due to (?:user complaints|excessive)/i,
    examples: [
      "454 Throttling failure: Maximum sending rate exceeded.",
      "550 5.7.0 Requested action not taken: too many emails per second",
      "421 4.7.28 Our system has detected an unusual rate of unsolicited mail",
      "450 4.2.1 Peak SMTP relay limit exceeded for customer",
      "432 4.3.2 Concurrent connections limit exceeded",
      "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
      "421 Too many concurrent SMTP connections",
      "450 4.7.1 Error: too much mail from 192.0.2.1",
      "450 too frequent connects from 192.0.2.1, please try again later.",
      "535 5.7.8 Too many connections per account",
      "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
    ],
    source: sources.sesQuota,
  },
  {
    verdict: "rate",
    enhanced: /^[45]\.7\.28$|^4\.7\.[56]\d\d$/,
    examples: ["421 4.7.28 IP-Adresse", "451 4.7.500 Server busy"],
    source: sources.google,
  },
  {
    verdict: "login",
    code: /^53[0458]$/,
    examples: ["535 5.7.8 Bad credentials", "530 5.7.57 Client not authenticated"],
    source: rfc(4954, "6"),
  },
  {
    verdict: "login",
    enhanced: /^[45]\.7\.(?:3|8|11|57|139)$/,
    examples: ["550 5.7.8 no", "454 4.7.8 no", "554 5.7.57 not authenticated to send"],
    source: rfc(4954, "6"),
  },
  {
    verdict: "login",
    pattern:
      /\b(?:need )?authentication (?:is )?(?:first|required|failed|needed|unsuccessful|credentials)|\b(?:must|please) (?:first )?(?:authenticate|log ?in)|\bnot authenticated\b|\binvalid (?:login|credentials)\b(?! for relay)|smtp auth(?:entication)? (?:is )?required|\bunauthenticated senders not allowed/i,
    examples: [
      "550 Authentication required",
      "550 5.7.1 Please authenticate first",
      "550 Unauthenticated senders not allowed",
    ],
    source: sources.sendgrid,
  },
  {
    verdict: "relay",
    pattern:
      /\brelay(?:ing)?\b.{0,40}\b(?:denied|not (?:permitted|allowed)|disallowed|prohibited|disabled|refused|forbidden)|\b(?:unable|not permitted|not allowed|refus\w+|cannot|can't|do(?:es)? not|won't|deny|denied)\b.{0,30}\brelay|\bnot (?:an )?open relay\b|\bunauthori[sz]ed relay|\brcpthosts\b|\bcredentials for relay\b/i,
    examples: [
      "554 5.7.1 <a@b.example>: Relay access denied",
      "454 4.7.1 <a@b.example>: Relay access denied",
      "550 relay not permitted",
      "550 5.7.1 Unable to relay",
      "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
      "550-5.7.1 Invalid credentials for relay [192.0.2.1]",
      "553 5.7.1 Relaying disallowed",
      "553 sorry, that domain isn't in my list of allowed rcpthosts",
    ],
    source: sources.exim,
  },
  {
    verdict: "relay",
    enhanced: /^5\.7\.(?:54|64|367)$/,
    examples: ["550 5.7.64 TenantAttribution"],
    source: sources.exchange,
  },
  {
    verdict: "account",
    enhanced: /^5\.7\.(?:13|50[1-3]|7\d\d)$|^5\.2\.253$/,
    examples: ["550 5.7.708 Access denied, traffic not accepted from this IP"],
    source: sources.exchange,
  },
  {
    verdict: "account",
    pattern:
      /\b(?:domain|account|user|server|sender|subdomain)s?\b.{0,80}\bnot (?:allowed|permitted|authori[sz]ed|approved|enabled|activated|verified) (?:to send|for sending|yet|for use)|\b(?:domain|your account|account)\b.{0,40}\b(?:not activated|pending approval|under review|pending review)|\bsandbox\b|\bauthori[sz]ed recipients\b|\byour (?:account|domain|server|subscription|tenant|trial)\b.{0,60}\b(?:suspended|disabled|blocked|terminated|deactivated|paused|locked|expired|inactive|restricted)|\bsending (?:has been |is |was )?(?:paused|suspended|terminated|denied)|\b(?:smtp|sending|sender|customer) account (?:(?:has been|is|was) )?(?:not yet activated|closed|disabled|paused|suspended|terminated)|\bdisabled from sending\b|\baccount may not send\b|\bbad outbound sender\b|\boutboundspamexception\b|\bunusual sending activity\b|\bactivate your (?:\w+ )?account\b|\bdemo domains?\b|\bonly send testing emails\b|\bunconfigured sending domain\b|\bconfiguration set\b|\bnot authorized to perform\b|\b(?:trial|subscription|plan)(?: period)?(?: has| is)? expired\b|\b(?:organi[sz]ation|tenant)\b.{0,60}\b(?:blocked|exceeded|threshold)/i,
    examples: [
      "550 5.7.1 Domain mg.example.com is not allowed to send: The domain is unverified",
      "421 Domain example.com is not allowed to send: not activated",
      "550 Free accounts are for test purposes only, sandbox: add to authorized recipients",
      "554 Message rejected: Sending paused for this account",
      "550 5.7.1 Your account has been suspended",
      "550 5.1.8 Access denied, bad outbound sender",
      "554 412 Your account is pending approval",
      "550 5.7.0 Mail Sending denied.",
      "550 413 Your account may not send",
      "420 Please activate your Mailgun account",
      "502 5.7.0 Your SMTP account is not yet activated.",
      "550 5.7.1 Demo domains can only be used to send emails to account owners",
      "554 Access denied: User arn:aws:iam::1:user/x is not authorized to perform ses:SendRawEmail",
      "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; WASCL UserAction verdict",
      "550 5.7.1 Unconfigured Sending Domain <example.com>",
    ],
    source: sources.mailgun,
  },
  {
    verdict: "account",
    pattern:
      /\bsmtpclientauthentication\b|\bdisabled for the tenant\b|\berrorcode\W{1,4}4(?:00|01|05|12|13)\b/i,
    examples: ["550 5.7.30 SmtpClientAuthentication is disabled for the Tenant"],
    source: sources.exchange,
  },
  {
    verdict: "mail_from",
    enhanced: /^(?:[45]\.1\.[78]|5\.2\.252|5\.7\.(?:60|509|515))$/,
    examples: [
      "550 5.1.8 unknown domain",
      "450 4.1.8 Domain not found",
      "554 5.2.252 SendAsDenied; noreply@example.com not allowed to send as x@example.com",
      "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ],
    source: sources.exchange,
  },
  {
    verdict: "mail_from",
    enhanced: /^[45]\.7\.(?:2[0-4]|26|27|29|3[0-2])$/,
    examples: [
      "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy",
    ],
    source: rfc(7372, "3"),
  },
  {
    verdict: "mail_from",
    pattern:
      /\bsender address rejected\b|\bsender (?:verify|verification) (?:failed|callout)|\bcallback setup failed while verifying|\bnot one of your addresses\b|\bsending from (?:the )?domain\b.{0,80}\bnot allowed|\benvelope sender does not match|\bsender address (?:is )?not allowed|\bsendas ?denied\b|\bsend (?:mail )?(?:as|on behalf of)\b|\b(?:email address|sender|from address|identit(?:y|ies)|sender signature|sender identity|domain)\b.{0,80}\bnot (?:been )?(?:verified|confirmed|owned|registered)|\bnot (?:match )?a verified sender|\b(?:not (?:authori[sz]ed|allowed|permitted)) to send (?:from|as|mail from)|\binvalid '?from'? address|\bfrom address\b.{0,60}\b(?:does not match|not allowed|invalid)|\bsender signature\b|\bsender (?:rejected|denied|not allowed|unknown)|\b(?:spf|dmarc|dkim)\b.{0,60}\b(?:fail|reject|check|unauthenticated|policy|not pass|did not pass)|\bunauthenticated (?:e?mail|sender)/i,
    examples: [
      "553 5.7.1 <a@b.example>: Sender address rejected: not owned by user x",
      "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: noreply@example.com",
      "550 The from address does not match a verified Sender Identity",
      "550 5.7.1 You are not authorized to send from that email address",
      "550-Verification failed for <x@b.example>\r\n550-No such user here\r\n550 Sender verify failed",
      "406 400 Sender signature not confirmed",
      "550 5.7.0 From address is not one of your addresses",
      "550 Could not complete sender verify callout",
      "550 5.7.1 Sending from domain example.com is not allowed",
    ],
    source: sources.sesErrors,
  },
  {
    verdict: "blocked",
    pattern:
      /\bclient host\b.{0,60}\b(?:rejected|blocked)|\b(?:ip|host|server|network|address range|connection|client)\b.{0,80}\b(?:black|block|deny|reject)list|\b(?:blocked|listed|rejected|denied|refused)\b.{0,60}\b(?:spamhaus|spamcop|barracuda|sorbs|dnsbl|rbl|zen\.|bl\.|block ?list|black ?list)|\b(?:spamhaus|spamcop|dnsbl|rbl)\b|\b(?:sending|your|this) ip(?: address)?\b.{0,80}\b(?:blocked|banned|listed|reputation|denied|blacklisted|rejected)|\b(?:banned sending ip|poor reputation|low reputation)\b|\bconnections will not be accepted\b|\bwill be permanently deferred\b|\bnot authorized to send e?mail directly\b|\bunauthori[sz]ed ip\b|\bon our block ?list\b|\bip(?: address)?\W{0,3}[\da-f.:]{0,45}\W{0,3}(?:is |was |has been )?(?:blocked|banned|blacklisted)\b|\b(?:invalid|bad) (?:helo|ehlo)\b|\bhelo command rejected\b|\bptr record\b|\breverse dns\b/i,
    examples: [
      "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
      "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
      "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
      "550 5.7.1 Our system has detected that your IP address has a low reputation",
      "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed",
      "550-5.7.1 The IP you're using to send mail is not authorized to\r\n550 5.7.1 send email directly to our servers.",
      "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3150).",
    ],
    source: sources.postfix,
  },
  {
    verdict: "blocked",
    enhanced: /^5\.7\.(?:25|506|508|511|6[0-4]\d)$/,
    examples: ["550 5.7.606 Access denied, banned sending IP", "550 5.7.25 no PTR"],
    source: sources.exchange,
  },
  {
    verdict: "closing",
    code: /^421$/,
    examples: ["421 4.3.2 stopping", "421 4.4.2 idle for too long", "421 Service not available"],
    source: rfc(5321, "4.2.3"),
  },
  {
    verdict: "system",
    code: /^4/,
    enhanced: /^4\.3\./,
    examples: ["452 4.3.1 disk full"],
    source: rfc(3463, "3.4"),
  },
  {
    verdict: "no_such_recipient",
    code: /^5/,
    enhanced: /^5\.1\.(?:1|6)$/,
    stage: "recipient",
    examples: ["550 5.1.1 User unknown", "550 5.1.1 Benutzer unbekannt", "551 5.1.6 moved"],
    source: rfc(3463, "3.2"),
  },
  {
    verdict: "no_such_recipient",
    code: /^5/,
    pattern:
      /\b(?:user|mailbox|recipient|address|addressee)(?: address)?(?: is| was)? ?(?:unknown|not found|not known|invalid|no longer (?:exists|valid|available|in use|active))\b|\b(?:unknown|no such|nonexistent|non-existent|invalid) (?:local )?(?:user|mailbox|recipient|address|person|addressee)\b|\b(?:user|mailbox|recipient|address|email account that you tried to reach)\b.{0,60}\b(?:does not|doesn't|do not|did not|don't) exist\b|\brecipientnotfound\b|\bdoesn't have an? \S+ account\b|\bnull ?mx\b|\b(?:mailbox|user|recipient|address)\b.{0,60}\b(?:disabled|deactivated|discontinued|closed|terminated|deleted|removed)\b/i,
    stage: "recipient",
    examples: [
      "550 <a@b.example>: Recipient address rejected: User unknown in local recipient table",
      "550 No such user here",
      "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
      "554 delivery error: dd This user doesn't have a yahoo.example account",
      "554 delivery error: dd Your message cannot be delivered. This mailbox is disabled (554.30).",
      "556 5.1.10 Recipient address has null MX",
      "550 MAILBOX DOES NOT EXIST",
    ],
    source: sources.yahoo,
  },
  {
    // Without a recipient code, "account" may also mean our own account.
    verdict: "no_such_recipient",
    code: /^5/,
    enhanced: /^5\.(?:1\.\d+|2\.1)$/,
    pattern:
      /\baccount\b.{0,60}\b(?:unknown|not found|does not exist|doesn't exist|disabled|deactivated|discontinued|closed|terminated|deleted|removed)\b/i,
    stage: "recipient",
    examples: [
      "550 5.2.1 The email account that you tried to reach is disabled",
      "550 5.1.1 account closed",
    ],
    source: sources.google,
  },
  {
    verdict: "message",
    pattern:
      /\bspam\b|\bvirus\b|\bmalware\b|\bphish|\bcontent\b|\bmessage (?:size|too (?:big|large))|\bpolicy\b/i,
    stage: "content",
    examples: ["554 5.7.1 spam", "552 5.3.4 message too big", "550 5.7.1 violates policy"],
    source: sources.google,
  },
];
