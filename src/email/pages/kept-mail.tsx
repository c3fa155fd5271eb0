import type { InboxMail } from "../mailer/kept-mails.ts";
import type { MailSender } from "./mail-source.ts";
import { mailSource } from "./mail-source.ts";

/** A code as our mails write it. */
const codePattern = /(?<![\w-])\d{6}(?![\w-])/;

interface KeptMailProps {
  readonly mail: InboxMail;
  readonly sender: MailSender;
}

/** One mail: its code to be copied, the HTML alone in its frame, text, headers and source. */
export function KeptMail({ mail, sender }: KeptMailProps) {
  const { headers, all } = mailSource(mail, sender);
  const code = codePattern.exec(mail.text)?.[0];
  return (
    <article>
      <a class="back" href="/inbox">
        All mails
      </a>
      <h2>{mail.subject}</h2>
      <dl class="facts">
        {factsOf(mail).map(([name, words]) => (
          <div>
            <dt>{name}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      {code !== undefined && (
        <p class="code">
          <strong data-code>{code}</strong>
          <button type="button" class="button button-plain" data-copy>
            Copy the code
          </button>
          <span role="status" />
        </p>
      )}
      <iframe title="The mail as HTML" sandbox="" src={`/inbox/${mail.id}/html`} />
      <Source title="Text" source={mail.text} />
      <Source title="HTML source" source={mail.html} />
      <Source title="Headers" source={headers} />
      <Source title="Whole source, as it would be sent" source={all} />
      <p>
        <a href={`/mails/${mail.messageId}`}>The life of this mail</a>
      </p>
    </article>
  );
}

function Source({ title, source }: { readonly title: string; readonly source: string }) {
  return (
    <details>
      <summary>{title}</summary>
      <pre tabindex={0}>{source}</pre>
    </details>
  );
}

function factsOf({ to, receivedAt, messageId }: InboxMail): readonly (readonly [string, string])[] {
  const iso = new Date(receivedAt).toISOString();
  return [
    ["To", to],
    ["Received", `${iso.slice(0, 10)} ${iso.slice(11, 19)}`],
    ["message_id", messageId],
  ];
}
