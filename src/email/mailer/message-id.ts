/**
 * The Message-ID of a mail: `<message_id@domain of the sender>`, so that a second sending of one
 * mail carries the same one and whoever sees both can tell. Dots where RFC 5322 (3.2.3) allows none
 * are written as =2E; an id has no = of its own, so two ids never share a Message-ID.
 */
export function messageIdHeader(messageId: string, sender: string): string {
  const domain = sender.slice(sender.lastIndexOf("@") + 1);
  const dotAtom = !/^\.|\.\.|\.$/.test(messageId);
  const left = dotAtom ? messageId : messageId.replaceAll(".", "=2E");
  return `<${left}@${domain}>`;
}
