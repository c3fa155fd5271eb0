/** A row of both adapters' tables. */
export interface DeclinedRow {
  readonly recipient_key: string;
  readonly event_type: string;
}

export function groupDeclined(rows: readonly DeclinedRow[]): ReadonlyMap<string, Set<string>> {
  const declined = new Map<string, Set<string>>();
  for (const { recipient_key: key, event_type: type } of rows) {
    declined.set(key, (declined.get(key) ?? new Set()).add(type));
  }
  return declined;
}
