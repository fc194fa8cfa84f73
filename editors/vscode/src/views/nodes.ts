import type { Uri } from "vscode";
import type { Change, Claim, Message, Place, Session } from "../protocol";

/** What stands in the lists. A command that comes from one of them gets its node as the argument. */
export type Node = GroupNode | SessionNode | ClaimNode | MessageNode | ChangeNode;

/** A heading above sessions: of those in one repository, or of those that fare alike. */
export class GroupNode {
  readonly kind = "group";
  constructor(
    readonly what: "repository" | "here" | "waiting" | "left",
    readonly name: string,
    readonly sessions: readonly Session[],
  ) {}
}

export class SessionNode {
  readonly kind = "session";
  constructor(readonly session: Session) {}
}

export class ClaimNode {
  readonly kind = "claim";
  constructor(readonly claim: Claim) {}
}

export class PlaceNode {
  readonly kind = "place";
  constructor(readonly place: Place) {}
}

export class MessageNode {
  readonly kind = "message";
  constructor(readonly message: Message) {}
}

export class ChangeNode {
  readonly kind = "change";
  constructor(
    readonly uri: Uri,
    readonly change: Change,
  ) {}
}
