import { AssignerProtocol } from "kafkajs";
import type { AdminSession } from "./admin-session.ts";

/** Consumer groups as the cluster sees them. Everything throws as `AdminSession.call` says. */
export class GroupAdmin {
  readonly #session: AdminSession;

  constructor(session: AdminSession) {
    this.#session = session;
  }

  /** Who reads each partition of `topic`: "10.0.0.7 (instant-3f2a…)"; empty during a rebalance. */
  async owners(topic: string, group: string): Promise<ReadonlyMap<number, string>> {
    const { groups } = await this.#session.call(`asking for the members of ${group}`, (admin) =>
      admin.describeGroups([group]),
    );
    const owners = new Map<number, string>();
    for (const { memberId, clientHost, memberAssignment } of groups[0]?.members ?? []) {
      if (memberAssignment.length === 0) continue; // it just joined
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment);
      const name = `${clientHost.replace(/^\//, "")} (${memberId.slice(-12)})`;
      for (const partition of decoded?.assignment[topic] ?? []) owners.set(partition, name);
    }
    return owners;
  }
}
