import type { InboxMail } from "../mailer/kept-mails.ts";

/** A code as our mails write it. */
const codePattern = /(?<![\w-])\d{6}(?![\w-])/;

/** One mail: its code to be copied, the HTML alone in its frame, text, headers and source. */
export function KeptMail({ mail }: { readonly mail: InboxMail }) {
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
      <Source title="Headers" source={headersOf(mail)} />
      <Source title="HTML source" source={mail.html} />
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
  return [
    ["To", to],
    ["Received", new Date(receivedAt).toISOString()],
    ["message_id", messageId],
  ];
}

function headersOf({ to, subject, headers }: InboxMail): string {
  const all = { To: to, Subject: subject, ...headers };
  return Object.entries(all)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}
